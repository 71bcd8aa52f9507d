"""Child processes that cannot outlive the test run, and whose output is at hand when something fails."""
import os
import signal
import subprocess
import tempfile


class Child:
    """A started program with its output in a file. `setpriv` asks the kernel to stop it if this process dies.

    The kernel means the thread that started it: start children in the main thread."""

    def __init__(self, arguments, env=None, cwd=None, keep_stdin=False, user=None, at_our_death="KILL"):
        self.output = tempfile.NamedTemporaryFile(prefix="hoichan-child-", suffix=".log")
        as_user = ["--reuid", user, "--regid", user, "--init-groups"] if user else []
        self.process = subprocess.Popen(
            ["setpriv", *as_user, "--pdeathsig", at_our_death, "--", *map(str, arguments)],
            stdin=subprocess.PIPE if keep_stdin else subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def text(self) -> str:
        """Everything it has printed so far."""
        with open(self.output.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, how=signal.SIGTERM, patience: float = 30.0) -> int:
        """Signals it and waits for its end; kills it when it does not listen. Its exit status."""
        if self.running():
            self.process.send_signal(how)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"Still running {patience:.0f} s after {signal.Signals(how).name}:\n{self.text()[-2000:]}")

    def dispose(self):
        """For fixtures' ends: gone, whatever state it was in."""
        if self.running():
            self.process.kill()
        self.process.wait()
        self.output.close()
