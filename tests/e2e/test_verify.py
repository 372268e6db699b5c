#!/usr/bin/env python3
"""torchkiln verify, run by everything that runs containers here, on a small image whose verifier is a stand-in: a static
program that tells what it sees of its container, or lies as its environment says."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

import browser
import kiln

sys.path.insert(0, str(kiln.SOURCE / "tests/support"))
import small_image  # noqa: E402

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Lines of /proc/net/dev below its two of heading that are not the loopback's. */
static int interfaces(void) {
  char line[512];
  int count = -2;
  FILE* file = fopen("/proc/net/dev", "r");
  while (file && fgets(line, sizeof line, file)) count += strstr(line, " lo:") == NULL;
  return count;
}

/* A file, but for its first line, which is ours: what this run was asked and sees. */
static int print_file(const char* folder, const char* name, const char* first) {
  char path[256], text[65536];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE* file = fopen(path, "r");
  if (!file) return 1;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  return fputs(first, stdout) < 0 || puts(text) < 0;
}

int main(int argc, char** argv) {
  const char* mode = getenv("MODE") ? getenv("MODE") : "";
  const char *nonce = "", *level = "boot", *soak = "0";
  char first[1024];
  struct statvfs shm;
  for (int i = 1; i + 1 < argc; ++i) {
    if (!strcmp(argv[i], "--nonce")) nonce = argv[i + 1];
    if (!strcmp(argv[i], "--level")) level = argv[i + 1];
    if (!strcmp(argv[i], "--soak")) soak = argv[i + 1];
  }
  if (argc > 1 && !strcmp(argv[1], "--list")) return print_file("/lists", mode, "");
  if (!strcmp(mode, "hang")) sleep(600);
  if (!strcmp(mode, "crash")) abort();
  if (!strcmp(mode, "nonce")) nonce = "00000000000000000000000000000000";
  statvfs("/dev/shm", &shm);
  fprintf(stderr, "pass  boot.user\npass  boot.init\n");
  snprintf(first, sizeof first,
           "{\"schema\":\"torchkiln.verifier/1\",\"nonce\":\"%s\",\"level\":\"%s\",\"host\":{},\"versions\":"
           "{\"soak\":\"%s\",\"shm_mib\":\"%lu\",\"interfaces\":\"%d\"},\"tests\":",
           nonce, level, soak, (unsigned long)(shm.f_blocks * shm.f_frsize >> 20), interfaces());
  return print_file("/answers", mode, first);
}
"""

PLAN = json.loads(subprocess.run([os.environ["PRINT_VERIFIER_PLAN"]], capture_output=True, check=True).stdout)
BOOT = [test for test in PLAN["tests"] if test["level"] == "boot"]
LAST = BOOT[-1]["id"]
FIRST_OF_GPU = next(test for test in PLAN["tests"] if test["level"] == "gpu")


def kept(test: dict) -> dict:
    """An answer that keeps the test's limit."""
    return {"id": test["id"], "level": test["level"], "verdict": "pass", "measured": test["limit"], "details": {"curve": [2, 1]}}


def answers(mode: str) -> list[dict]:
    tests = [kept(test) for test in BOOT]
    del tests[1]["details"]
    match mode:
        case "gpu":
            tests = [kept(test) for test in PLAN["tests"] if test["level"] in ("boot", "cpu", "gpu")]
            next(test for test in tests if test["id"] == FIRST_OF_GPU["id"]).update(verdict="fail", fault="image", reason="wrong")
        case "truncated":
            tests.pop()
        case "more":
            tests.append(kept(FIRST_OF_GPU))
        case "twice":
            tests.append(tests[-1])
        case "level":
            tests[0]["level"] = "cpu"
        case "verdict":
            tests[0]["verdict"] = "fine"
        case "beyond":
            tests[0]["measured"] = 0  # root
        case "fewer" | "shorter":
            tests.pop()
        case "looser":
            tests[0]["measured"] = 0
    return tests


def listed(mode: str) -> dict:
    tests = [dict(test) for test in PLAN["tests"]]
    match mode:
        case "fewer":
            tests = [test for test in tests if test["id"] != LAST]
        case "shorter":
            tests = tests[: len(BOOT) - 1]
        case "looser":
            tests[0]["limit"] = 0
    return PLAN | {"tests": tests}


# How a verifier may lie, and what is said of it.
FORGED = {
    "nonce": "is not the one that was asked with",
    "truncated": None,  # the test that is missing fails, by its own name
    "more": "which is not in the plan",
    "twice": "a second time",
    "level": "to another level",
    "verdict": "is no verdict",
    "beyond": "passes 'boot.user' with 0, which is not at least 1",
    "fewer": f"it has no test '{LAST}'; build the image again",
    "shorter": f"it has no test '{LAST}'; build the image again",
    "looser": "its test 'boot.user' has another level or limit",
    "crash": "is no valid JSON",
}


def stand_in() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "verifier.c"), pathlib.Path(folder, "verifier")
        source.write_text(PROGRAM)
        subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, source], check=True)
        return program.read_bytes()


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = kiln.folder("home")
        cls.layout = small_image.Layout(cls.home / "layout")
        tags = ("honest", "hang", "gpu", *FORGED)
        files = {f"answers/{tag}": (json.dumps(answers(tag)) + "}").encode() for tag in tags}
        files |= {f"lists/{tag}": json.dumps(listed(tag)).encode() for tag in tags}
        layer = cls.layout.layer(files | {"bin/torchkiln-verify": stand_in()})
        for tag in tags:
            cls.layout.image(tag, [layer], env=[f"MODE={tag}"])

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def verify(self, image, *options, environment=None):
        """The report's tests by name, and all of the report."""
        done = kiln.torchkiln("verify", image, "--level", "boot", "--json", "--progress", "plain", "--cache",
                              self.home / "cache", *options, check=False, env=os.environ | (environment or {}))  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stderr)  # no torch is in it: level static is not reached
        report = json.loads(done.stdout)
        return {test["id"]: test for test in report["tests"]}, report

    def reference(self, tag):
        return f"oci:{self.home}/layout:{tag}"

    def judge_honest(self, image, *options, environment=None):
        tests, report = self.verify(image, "--shm-size", "96", *options, environment=environment)
        self.assertEqual({tests[test["id"]]["verdict"] for test in BOOT}, {"pass"}, tests)
        self.assertEqual(report["versions"]["shm_mib"], "96")
        self.assertEqual(report["versions"]["interfaces"], "0", "the container has a network")
        return report

    def test_runc_and_crun_run_it_without_network_and_with_the_shared_memory_asked_for(self):
        for runtime in ("runc", "crun"):
            report = self.judge_honest(self.reference("honest"), "--runtime", runtime)
            self.assertEqual(report["host"]["runtime"], runtime)
        report = self.judge_honest(self.reference("honest"), "--soak", "7")
        self.assertEqual(report["versions"]["soak"], "7")

    def test_docker_and_podman_run_the_images_that_they_hold(self):
        with kiln.dockerd() as environment:
            kiln.run(["skopeo", "copy", "--dest-daemon-host", environment["DOCKER_HOST"], self.reference("honest"),
                      "docker-daemon:honest:1"])  # fmt: skip
            self.assertEqual(self.judge_honest("docker:honest:1", environment=environment)["host"]["runtime"], "docker")
        with kiln.containers() as environment:
            name = kiln.run(["podman", "pull", "-q", self.reference("honest")], env=os.environ | environment).stdout.strip()
            self.assertEqual(self.judge_honest(f"podman:{name}", environment=environment)["host"]["runtime"], "podman")

    def test_a_verifier_that_lies_or_crashes_is_not_believed(self):
        for mode, complaint in FORGED.items():
            with self.subTest(mode):
                tests, _ = self.verify(self.reference(mode))
                if complaint is None:
                    self.assertEqual(tests[LAST]["reason"], "planned, but not run")
                    continue
                self.assertEqual(tests["boot.verifier"]["verdict"], "fail")
                self.assertIn(complaint, tests["boot.verifier"]["reason"])

    def test_a_verifier_that_hangs_is_ended_at_the_timeout(self):
        tests, _ = self.verify(self.reference("hang"), "--timeout", "3")
        self.assertEqual(tests["boot.verifier"]["reason"], "torchkiln-verify did not end within 3 s")

    def test_an_error_of_the_hardware_in_the_kernel_log_is_the_hosts_fault(self):
        # A GPU is there, says the toolkit.
        tool = kiln.folder("programs") / "nvidia-ctk"
        device = {"name": "all", "containerEdits": {"env": ["GPU=stand-in"]}}
        tool.write_text(f"#!/bin/sh\necho '{json.dumps({'cdiVersion': '0.5.0', 'kind': 'nvidia.com/gpu', 'devices': [device]})}'\n")
        tool.chmod(0o755)
        environment = os.environ | {"PATH": f"{tool.parent}:{os.environ['PATH']}"}
        # As the driver writes it; the kernel takes such lines from root too.
        line = "<4>NVRM: Xid (PCI:0000:07:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.\n"
        for says in ("", line):
            report = self.home / "report.json"
            run = subprocess.Popen([kiln.TORCHKILN, "verify", self.reference("gpu"), "--level", "gpu", "--report", report,
                                    "--cache", self.home / "cache"], stdout=subprocess.DEVNULL, env=environment)  # fmt: skip
            while run.poll() is None:
                if says:
                    pathlib.Path("/dev/kmsg").write_text(says)
                time.sleep(0.1)
            tests = {test["id"]: test for test in json.loads(report.read_text())["tests"]}
            log, broken = tests["gpu.kernel_log"], tests[FIRST_OF_GPU["id"]]
            self.assertEqual((log["verdict"], broken["fault"]), ("fail", "host") if says else ("pass", "image"))
            self.assertEqual("fallen off the bus" in broken["reason"], bool(says))

    def test_the_reports_are_junit_and_a_page_that_a_browser_shows(self):
        files = [self.home / name for name in ("report.json", "report.xml", "report.html")]
        self.verify(self.reference("honest"), *(word for file in files for word in ("--report", file)))
        self.assertEqual(json.loads(files[0].read_text())["schema"], "torchkiln.report/1")
        suites = xml.etree.ElementTree.parse(files[1]).getroot()
        self.assertEqual([suite.get("name") for suite in suites], ["static", "boot"])
        self.assertGreater(int(suites.get("failures")), 0)
        with browser.Browser(prefix=[], profile=self.home / "profile") as page:
            page.open(files[2].as_uri())
            self.assertIn("level boot asked, reached: none", page.text())
            self.assertEqual(page.evaluate("document.querySelectorAll('polyline').length"), len(BOOT) - 1)
            self.assertGreater(page.evaluate("document.querySelectorAll('tbody tr').length"), 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
