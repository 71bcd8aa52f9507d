"""Debian's Chromium with a camera and a microphone that need neither hardware nor a person's consent."""
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # Both ends and the TURN server are on this machine.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--disable-dev-shm-usage",
]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LAPTOP = {"viewport": {"width": 1366, "height": 768}}


def launch(playwright, *more: str):
    """A browser; the caller closes it. `more` are further command-line switches."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
