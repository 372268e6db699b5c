#!/usr/bin/env python3
"""Has bash, zsh and fish complete command lines with the scripts of `torchkiln completion`, and looks at what they offer.

What every shell must offer stands in CASES. bash is told the words as its line editor tells them; zsh, which completes in
its editor alone, has a terminal of its own; fish completes a line that it is given. A shell that is not installed is left
out, and that is said.
"""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
SECONDS = 60
# A line that ends where the cursor is, and all that is offered for its last word; of files those of FOLDER.
CASES = {
    "torchkiln ma": ["matrix"],
    "torchkiln matrix ": ["list", "show", "check", "refresh", "add"],
    "torchkiln --manifests resolve matrix a": ["add"],
    "torchkiln matrix list dr": ["drivers"],
    "torchkiln resolve --pref": ["--prefer"],
    "torchkiln resolve --prefer ": ["stable", "newest", "smallest", "proven"],
    "torchkiln verify --level m": ["multi-gpu"],
    "torchkiln stamp check --require c": ["cpu"],
    "torchkiln build --engine b": ["buildah"],
    "torchkiln build --variant devel+": ["devel+jupyter", "devel+ssh", "devel+jupyter+ssh"],
    "torchkiln --color a": ["always", "auto"],
    "torchkiln bake --color n": ["never"],
    "torchkiln resolve --pytorch ": [],
    "torchkiln completion ": ["bash", "zsh", "fish"],
    "torchkiln bake tw": ["two words.toml"],
    "torchkiln bake --output k": ["kiln.oci/"],
    "torchkiln run ": ["oci:", "oci-archive:", "docker:", "podman:"],
    "torchkiln run oci:k": ["oci:kiln.oci/"],
}


def make_folder(folder: pathlib.Path) -> None:
    (folder / "kiln.oci").mkdir()
    (folder / "kiln.tar").touch()
    (folder / "two words.toml").touch()


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.place.name) / "work"
        cls.folder.mkdir()
        make_folder(cls.folder)
        cls.environment = {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "HOME": cls.place.name, "TERM": "dumb",
                           "LC_ALL": "C.UTF-8"}  # fmt: skip
        for shell in ("bash", "zsh", "fish"):
            script = subprocess.run([PROGRAM, "completion", shell], capture_output=True, text=True, check=True).stdout
            (pathlib.Path(cls.place.name) / f"torchkiln.{shell}").write_text(script)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def run_shell(self, *arguments: str) -> str:
        done = subprocess.run(arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              timeout=SECONDS)  # fmt: skip
        self.assertEqual(done.stderr, "")
        return done.stdout

    def script(self, shell: str) -> str:
        return f"{self.place.name}/torchkiln.{shell}"

    def test_bash(self):
        for line, expected in CASES.items():
            with self.subTest(line):
                # The words as readline splits them (COMP_WORDBREAKS): ":" and "=" are words of their own.
                words = [word for word in re.split(r"\s+|([:=])", line) if word]
                if line.endswith(" "):
                    words.append("")
                said = self.run_shell(
                    "bash", "-c",
                    'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _torchkiln; '
                    'if ((${#COMPREPLY[@]})); then printf "%s\\n" "${COMPREPLY[@]}"; fi',
                    self.script("bash"), *words)  # fmt: skip
                # bash itself marks folders and keeps what stands before ":".
                wanted = {word.rstrip("/") if "/" in word else word for word in expected}
                if ":" in words:
                    wanted = {word.split(":", 1)[1] for word in wanted}
                self.assertEqual(set(said.splitlines()), wanted)

    def test_what_the_help_names_is_known(self):
        paths, seen = [""], []
        while paths:
            path = paths.pop()
            seen.append(path)
            help_text = self.run_shell(str(PROGRAM), *path.split(), "--help")
            options = set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", help_text, re.MULTILINE))
            commands = re.findall(r"^  ([a-z]+)  ", help_text.partition("Subcommands:")[2], re.MULTILINE)
            known = self.run_shell("bash", "-c", 'source "$0"; _torchkiln_options "$1"; echo; _torchkiln_commands "$1"',
                                   self.script("bash"), path)  # fmt: skip
            options_known, commands_known = (set(part.split()) for part in known.split("\n\n"))
            with self.subTest(path):
                self.assertLessEqual(options, options_known)
                self.assertEqual(set(commands), commands_known)
                self.assertLessEqual({"--json", "--manifests", "--help"}, options_known)
            paths += [f"{path} {command}" for command in commands]
        self.assertGreater(len(seen), 20)
        said = self.run_shell("bash", "-c", 'source "$0"; _torchkiln_options " matrix add"', self.script("bash"))
        self.assertNotIn("--report", said.split())

    def test_fish(self):
        if not shutil.which("fish"):
            self.skipTest("fish is not installed")
        for line, expected in CASES.items():
            with self.subTest(line):
                said = self.run_shell("fish", "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]',
                                      self.script("fish"), line)  # fmt: skip
                offers = {offer.split("\t")[0].replace("\\ ", " ") for offer in said.splitlines()}
                self.assertEqual(offers, set(expected))

    def test_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not installed")
        terminal = Terminal(["zsh", "-f", "-i"], self.folder, self.environment)
        terminal.tell("PS1='> '; unsetopt beep list_ambiguous; LISTMAX=1000")
        terminal.tell(f"autoload -Uz compinit && compinit -u -D && source {self.script('zsh')} && echo rea''dy", "ready")
        terminal.tell("torchkiln() { print -r -- \"GOT[$*]\" }; echo o''k", "ok")
        # One offer is put into the line, several are listed. The "/" after a folder goes when the line ends.
        for line, expected in CASES.items():
            with self.subTest(line):
                listed, line_now = terminal.complete(line)
                if len(expected) == 1:
                    words = line.split(" ")[1:-1]
                    self.assertEqual(line_now, " ".join([*words, expected[0].rstrip("/")]))
                else:
                    self.assertLessEqual(set(expected), set(listed.split()))
        terminal.close()


class Terminal:
    """A program at the other end of a pseudo-terminal."""

    def __init__(self, arguments, folder, environment):
        self.process, self.end = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(arguments[0], arguments, environment)

    def read_until(self, text: str) -> str:
        said, until = "", time.monotonic() + SECONDS
        while text not in said:
            if time.monotonic() > until:
                raise AssertionError(f"no {text!r} in {said!r}")
            if select.select([self.end], [], [], 0.2)[0]:
                said += os.read(self.end, 65536).decode(errors="replace")
        return said

    def tell(self, line: str, answer: str | None = None) -> None:
        os.write(self.end, (line + "\n").encode())
        if answer:
            self.read_until(answer)

    def complete(self, line: str) -> tuple[str, str]:
        """What is shown after the tab, and the line as it is then."""
        os.write(self.end, line.encode() + b"\t")
        time.sleep(0.5)
        os.write(self.end, b"\n")
        said = self.read_until("]\r\n")
        return said, re.search(r"GOT\[(.*?) ?\]", said[said.rindex("GOT[") :]).group(1)

    def close(self) -> None:
        os.close(self.end)
        os.waitpid(self.process, 0)


if __name__ == "__main__":
    unittest.main()
