#!/usr/bin/env python3
"""Runs Autobahn|Testsuite's fuzzing client against `hoichan bench echo` and says which cases fail. ops/test-autobahn calls it.

A case passes when both what it received and how the connection ended are OK, NON-STRICT or INFORMATIONAL; one that was
to be run and is not in the report has failed. The last line is `N passed, N failed`.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
AGENT = "hoichan"


def main() -> int:
    options = parse()
    # Stopped by ops/test or a time limit: end as on ctrl-C, so that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    with open(options.folder / "echo.log", "w") as complaints:
        echo = subprocess.Popen([options.binary, "bench", "echo", "--port", "0"], stdout=subprocess.PIPE, stderr=complaints, text=True)
        try:
            address = echo.stdout.readline().strip()
            if not address.startswith("ws://"):
                sys.exit(f"{options.binary} bench echo did not start: {(options.folder / 'echo.log').read_text()[-2000:]}")
            wanted = fuzz(options, address)
        finally:
            # Gracefully: what a peer was told is not cut off.
            echo.terminate()
            try:
                status = echo.wait(20)
            except subprocess.TimeoutExpired:
                echo.kill()
                status = echo.wait()
    return judge(options.folder, wanted, status)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wstest", required=True, type=pathlib.Path, help="the suite's program")
    parser.add_argument("--binary", required=True, type=pathlib.Path, help="the hoichan to test")
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="for the report and the logs; emptied first")
    parser.add_argument("--patience", type=int, default=3600, help="seconds after which the run is given up")
    parser.add_argument("--spec", default="fuzzingclient.json", help="which file of cases")
    parser.add_argument("cases", nargs="*", help="these cases instead of the file's, e.g. 6.4.*")
    options = parser.parse_args()
    # The suite runs in its folder.
    options.wstest, options.binary, options.folder = options.wstest.absolute(), options.binary.absolute(), options.folder.absolute()
    return options


def fuzz(options: argparse.Namespace, address: str) -> list[str]:
    """Runs the fuzzing client to its end, or to the end of our patience. The names of the cases it meant to run."""
    spec = json.loads((HERE / options.spec).read_text())
    spec |= {"outdir": ".", "servers": [{"agent": AGENT, "url": address}]}
    if options.cases:
        spec["cases"] = options.cases
    (options.folder / "spec.json").write_text(json.dumps(spec, indent=2))
    wanted: list[str] = []
    with open(options.folder / "wstest.log", "w") as log:
        client = subprocess.Popen(
            [options.wstest, "--mode", "fuzzingclient", "--spec", "spec.json"],
            cwd=options.folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        timer = threading.Timer(options.patience, client.kill)
        timer.start()
        chapter = None
        try:
            for line in client.stdout:
                log.write(line)
                if line.startswith("Cases = "):
                    wanted = re.findall(r"'([\d.]+)'", line)
                    print(f"{len(wanted)} cases against {options.binary}", flush=True)
                started = re.match(r"Running test case ID (\d+)\.", line)
                if started and started[1] != chapter:
                    chapter = started[1]
                    print(f"chapter {chapter}", flush=True)
            client.wait()
        finally:
            timer.cancel()
            client.kill()
            client.wait()
    return wanted


def judge(folder: pathlib.Path, wanted: list[str], status: int) -> int:
    """Reads the report and prints what is wrong in it."""
    index = folder / "index.json"
    results = json.loads(index.read_text()).get(AGENT, {}) if index.exists() else {}
    # The report is written when all is over: of a run that was given up there is none.
    failed = [] if results else [f"the run itself, which left no report:\n{tail(folder / 'wstest.log')}"]
    for case in sorted(set(wanted) | set(results) if results else (), key=lambda name: [int(part) for part in name.split(".")]):
        result = results.get(case)
        if result is None:
            failed.append(f"{case}: it was not run, or its report was not written")
        elif not {result["behavior"], result["behaviorClose"]} <= GOOD:
            said = detail(folder / result["reportfile"])
            failed.append(f"{case}: {result['behavior']}, its end {result['behaviorClose']} ({result['duration']} ms){said}")
    if status != 0:
        failed.append(f"hoichan bench echo ended with {status}:\n{tail(folder / 'echo.log')}")
    for line in failed:
        print(f"FAILED: {line}")
    passed = sum(1 for result in results.values() if {result["behavior"], result["behaviorClose"]} <= GOOD)
    print(f"The report is {folder / 'index.html'}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


def detail(report: pathlib.Path) -> str:
    """What the suite says of one case."""
    try:
        case = json.loads(report.read_text(errors="replace"))
        return f"\n  {case['description']}\n  {case['result']}\n  {case['resultClose']}"
    except (OSError, ValueError, KeyError):
        return ""


def tail(file: pathlib.Path) -> str:
    return file.read_text(errors="replace")[-2000:] if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
