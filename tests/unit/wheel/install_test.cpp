#include "knowledge/wheel/install.hpp"

#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"
#include "support/test_folder.hpp"
#include "support/zip_builder.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace torchkiln::wheel;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using torchkiln::test::WheelFile;

namespace {

const std::string k_site = "opt/kiln/lib/python3/site-packages/";

struct Installed {
  std::string content;
  bool is_executable = false;
  bool is_entry = false;
};

/// An installed wheel as a map from path to content.
struct Plan {
  TestFolder folder;
  InstallScheme scheme;

  Wheel open(const WheelBuilder& builder) const {
    return must(Wheel::open(folder.write(builder.file_name(), builder.bytes()), builder.file_name()));
  }
  std::map<std::string, Installed> of(const WheelBuilder& builder) const {
    const auto wheel = open(builder);
    std::map<std::string, Installed> files;
    std::string before;
    for (const auto& file : must(plan_install(wheel, scheme))) {
      CHECK(before < file.path);
      before = file.path;
      files[file.path] = {file.entry ? must(wheel.content(*file.entry)) : file.content, file.is_executable,
                          file.entry != nullptr};
    }
    return files;
  }
  std::string refusal(const WheelBuilder& builder) const {
    const auto error = error_of(plan_install(open(builder), scheme));
    CHECK(error.code == ErrorCode::input_invalid);
    return error.message.substr(error.message.find(": ") + 2);
  }
};

/// What Python's own csv and hashlib say of an installed tree: a line for each row of RECORD that is wrong.
std::string checked_by_python(const std::map<std::string, Installed>& files, const std::string& record) {
  const TestFolder folder;
  for (const auto& [path, file] : files) must(torchkiln::sys::write_file(folder.path(path), file.content));
  torchkiln::sys::Command python;
  python.arguments = {"python3", "-c", R"(
import base64, csv, hashlib, os, pathlib, sys
root, record = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]) / sys.argv[2]
site = record.parent.parent
seen = set()
for row in csv.reader(open(record, newline='', encoding='utf-8')):
    path = pathlib.Path(os.path.normpath(site / row[0]))
    seen.add(path)
    if path == record:
        if row[1:] != ['', '']: print('RECORD must not state its own hash')
        continue
    data = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
    if row[1:] != ['sha256=' + digest, str(len(data))]: print('wrong', row)
for path in root.rglob('*'):
    if path.is_file() and path not in seen: print('not in RECORD', path.relative_to(root))
)",
                      folder.path().string(), record};
  const auto done = must(torchkiln::sys::run(python));
  return done.output + done.errors;
}

}  // namespace

TEST_CASE("files go to site-packages, with INSTALLER and a RECORD that Python finds right") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo/__init__.py"] = {"x = 1\n"};
  builder.files["demo/a,b \"c\".py"] = {"y"};
  builder.files["demo/empty"] = {""};
  builder.files["demo.libs/lib.so"] = {"so", 0100755, 0};
  const auto files = plan.of(builder);
  CHECK(files.at(k_site + "demo/__init__.py").content == "x = 1\n");
  CHECK(files.at(k_site + "demo/__init__.py").is_entry);
  CHECK_FALSE(files.at(k_site + "demo/__init__.py").is_executable);
  CHECK(files.at(k_site + "demo.libs/lib.so").is_executable);
  CHECK(files.at(k_site + "demo-1.0.dist-info/INSTALLER").content == "torchkiln\n");
  CHECK(files.count(k_site + "demo-1.0.dist-info/REQUESTED") == 0);
  CHECK(files.size() == 8);
  const auto& record = files.at(k_site + "demo-1.0.dist-info/RECORD").content;
  CHECK(record ==
        "demo-1.0.dist-info/INSTALLER,sha256=vu2cKXiZFi5TQl_TakG4z_Qi3De2l4tIi-0XaYdh3OU,10\n"
        "demo-1.0.dist-info/METADATA,sha256=" +
            torchkiln::base::Digest::of(files.at(k_site + "demo-1.0.dist-info/METADATA").content).base64url() +
            ",46\n"
            "demo-1.0.dist-info/RECORD,,\n"
            "demo-1.0.dist-info/WHEEL,sha256=" +
            torchkiln::base::Digest::of(files.at(k_site + "demo-1.0.dist-info/WHEEL").content).base64url() +
            ",75\n"
            "demo.libs/lib.so,sha256=odmJCITBtLlgwnnP51VKkA0WlCLWzsmAvu9ndhSH07k,2\n"
            "demo/__init__.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\n"
            "\"demo/a,b \"\"c\"\".py\",sha256=ofzkNjhU_4iM_0uOeHXWAMJoI5BBKoz3mzfQsRFIsPo,1\n"
            "demo/empty,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n");
  CHECK(checked_by_python(files, k_site + "demo-1.0.dist-info/RECORD").empty());
}

TEST_CASE("the parts of .data go where the venv scheme has them, and RECORD leads there") {
  const Plan plan;
  WheelBuilder builder;
  builder.name = "Demo";
  for (const char* path :
       {"purelib/p.py", "platlib/q.so", "headers/sub/demo.h", "scripts/run", "data/share/man/man1/x.1"})
    builder.files["Demo-1.0.data/" + std::string(path)] = {path};
  const auto files = plan.of(builder);
  CHECK(files.count(k_site + "p.py"));
  CHECK(files.count(k_site + "q.so"));
  CHECK(files.count("opt/kiln/include/site/python3.11/Demo/sub/demo.h"));
  CHECK(files.at("opt/kiln/bin/run").is_executable);
  CHECK(files.count("opt/kiln/share/man/man1/x.1"));
  CHECK(files.size() == 5 + 4);
  const auto& record = files.at(k_site + "Demo-1.0.dist-info/RECORD").content;
  CHECK_THAT(record, Catch::Matchers::Contains("\n../../../share/man/man1/x.1,") ||
                         Catch::Matchers::StartsWith("../../../share/man/man1/x.1,"));
  CHECK_THAT(record, Catch::Matchers::Contains("../../../bin/run,"));
  CHECK_THAT(record, Catch::Matchers::Contains("../../../include/site/python3.11/Demo/sub/demo.h,"));
  CHECK(checked_by_python(files, k_site + "Demo-1.0.dist-info/RECORD").empty());
}

TEST_CASE("data below the interpreter's library folder goes where the link leads, and RECORD says so") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo-1.0.data/data/lib/python3.11/site-packages/demo/extra.py"] = {"x"};
  builder.files["demo-1.0.data/data/lib/other"] = {"y"};
  const auto files = plan.of(builder);
  CHECK(files.count(k_site + "demo/extra.py"));
  CHECK(files.count("opt/kiln/lib/other"));
  CHECK_THAT(files.at(k_site + "demo-1.0.dist-info/RECORD").content, Catch::Matchers::Contains("demo/extra.py,"));
}

TEST_CASE("another prefix and Python version lead to other places") {
  Plan plan;
  plan.scheme = {"usr/local", "3.13"};
  WheelBuilder builder;
  builder.files["demo.py"] = {""};
  builder.files["demo-1.0.data/headers/d.h"] = {""};
  builder.files["demo-1.0.data/scripts/run"] = {"#!python\n"};
  const auto files = plan.of(builder);
  CHECK(files.count("usr/local/lib/python3/site-packages/demo.py"));
  CHECK(files.count("usr/local/include/site/python3.13/demo/d.h"));
  CHECK(files.at("usr/local/bin/run").content == "#!/usr/local/bin/python\n");
}

TEST_CASE("a part of .data that nobody knows, and files in none, are refused") {
  const Plan plan;
  for (const char* path : {"demo-1.0.data/etc/x", "demo-1.0.data/x", "demo-1.0.data/scripts"}) {
    WheelBuilder builder;
    builder.files[path] = {""};
    CHECK(plan.refusal(builder) == "'" + std::string(path) + "' is in no known part of a .data folder");
  }
}

TEST_CASE("a script's first line #!python becomes the environment's interpreter") {
  const Plan plan;
  const auto rewritten = [&](const std::string& content) {
    WheelBuilder builder;
    builder.files["demo-1.0.data/scripts/run"] = {content};
    const auto file = plan.of(builder).at("opt/kiln/bin/run");
    CHECK(file.is_executable);
    return file.content;
  };
  CHECK(rewritten("#!python\nprint(1)\n") == "#!/opt/kiln/bin/python\nprint(1)\n");
  CHECK(rewritten("#!pythonw\nprint(1)\n") == "#!/opt/kiln/bin/python\nprint(1)\n");
  CHECK(rewritten("#!python -E\nprint(1)\n") == "#!/opt/kiln/bin/python -E\nprint(1)\n");
  CHECK(rewritten("#!python\r\nprint(1)\r\n") == "#!/opt/kiln/bin/python\nprint(1)\r\n");
  CHECK(rewritten("#!python") == "#!/opt/kiln/bin/python");
  CHECK(rewritten("#!python\n# a b\n") == "#!/opt/kiln/bin/python\n# a b\n");
  for (const std::string content : {"#!/usr/bin/env python\nx", "#! python\nx",
                                    "\x7f"
                                    "ELF",
                                    "", "#!/bin/sh\n"})
    CHECK(rewritten(content) == content);
}

TEST_CASE("an unchanged script keeps its own bytes and hash, a rewritten one gets new ones") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo-1.0.data/scripts/kept"] = {"#!/bin/sh\n"};
  builder.files["demo-1.0.data/scripts/changed"] = {"#!python\n"};
  const auto files = plan.of(builder);
  CHECK(files.at("opt/kiln/bin/kept").is_entry);
  CHECK_FALSE(files.at("opt/kiln/bin/changed").is_entry);
  CHECK(checked_by_python(files, k_site + "demo-1.0.dist-info/RECORD").empty());
}

TEST_CASE("entry points become launchers, executable and in RECORD") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo-1.0.dist-info/entry_points.txt"] = {
      "[console_scripts]\ndemo = demo.cli:main\n[gui_scripts]\ndemo-gui = demo.gui:App.run\n"};
  const auto files = plan.of(builder);
  CHECK(files.at("opt/kiln/bin/demo").is_executable);
  CHECK(files.at("opt/kiln/bin/demo").content ==
        "#!/opt/kiln/bin/python\nimport sys\nfrom demo.cli import main\nif __name__ == \"__main__\":\n"
        "    sys.exit(main())\n");
  CHECK_THAT(files.at("opt/kiln/bin/demo-gui").content, Catch::Matchers::Contains("from demo.gui import App\n") &&
                                                            Catch::Matchers::Contains("sys.exit(App.run())\n"));
  CHECK(checked_by_python(files, k_site + "demo-1.0.dist-info/RECORD").empty());
}

TEST_CASE("a launcher that the wheel brings for its own entry point gives way to ours, as with pip") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\ndemo = demo:main\n"};
  for (const char* name : {"demo", "demo.exe", "DEMO.EXE", "demo-script.py", "demo.pya", "demo.sh", "other"})
    builder.files["demo-1.0.data/scripts/" + std::string(name)] = {"#!python\nold\n"};
  std::vector<std::string> bin;
  for (const auto& [path, file] : plan.of(builder))
    if (path.starts_with("opt/kiln/bin/")) bin.push_back(path.substr(13));
  // pip compares the rest of "DEMO.EXE" with case, so that file stays.
  CHECK(bin == std::vector<std::string>{"DEMO.EXE", "demo", "demo.sh", "other"});
  CHECK_THAT(plan.of(builder).at("opt/kiln/bin/demo").content, Catch::Matchers::Contains("from demo import main"));
}

TEST_CASE("pip is installed under its versioned names, whatever its entry points say") {
  const Plan plan;
  WheelBuilder builder;
  builder.name = "pip";
  builder.version = "23.2.1";
  builder.files["pip-23.2.1.dist-info/entry_points.txt"] = {
      "[console_scripts]\npip = pip._internal.cli.main:main\npip3 = pip._internal.cli.main:main\n"
      "pip3.12 = pip._internal.cli.main:main\npip-extra = pip.extra:main\n"};
  std::vector<std::string> bin;
  for (const auto& [path, file] : plan.of(builder))
    if (path.starts_with("opt/kiln/bin/")) bin.push_back(path.substr(13));
  CHECK(bin == std::vector<std::string>{"pip", "pip-extra", "pip3", "pip3.11"});
}

TEST_CASE("what the wheel says of its installer is replaced, and a signature of its RECORD is kept as a file") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo-1.0.dist-info/INSTALLER"] = {"somebody\n"};
  builder.files["demo-1.0.dist-info/RECORD.jws"] = {"{}"};
  const auto files = plan.of(builder);
  CHECK(files.at(k_site + "demo-1.0.dist-info/INSTALLER").content == "torchkiln\n");
  CHECK(files.count(k_site + "demo-1.0.dist-info/RECORD.jws"));
  CHECK(checked_by_python(files, k_site + "demo-1.0.dist-info/RECORD").empty());
}

TEST_CASE("files that RECORD forgot or gives no hash for are in the installed RECORD with theirs") {
  const Plan plan;
  WheelBuilder builder;
  builder.files["demo/a.py"] = {"a"};
  builder.files["demo/b.py"] = {"b"};
  builder.files["demo-1.0.dist-info/RECORD"] = {"demo/a.py,,\n"};
  const auto files = plan.of(builder);
  CHECK(checked_by_python(files, k_site + "demo-1.0.dist-info/RECORD").empty());
}

TEST_CASE("folders in the zip are not installed: pip makes none that is empty") {
  const Plan plan;
  WheelBuilder builder;
  auto zip = builder.zip();
  torchkiln::test::ZipPart folder;
  folder.name = "demo/empty/";
  folder.mode = 040755;
  folder.method = 0;
  zip.parts.push_back(folder);
  const auto wheel = must(Wheel::open(plan.folder.write("x", zip.bytes()), builder.file_name()));
  CHECK(must(plan_install(wheel, plan.scheme)).size() == 4);
}

TEST_CASE("a wheel that installs one path twice, or a file where it needs a folder, is refused") {
  const Plan plan;
  WheelBuilder twice;
  twice.files["demo.py"] = {"1"};
  twice.files["demo-1.0.data/purelib/demo.py"] = {"2"};
  CHECK(plan.refusal(twice) == "it installs /" + k_site + "demo.py twice");
  WheelBuilder folder;
  folder.files["demo"] = {"1"};
  folder.files["demo-1.0.data/purelib/demo/x.py"] = {"2"};
  CHECK(plan.refusal(folder) == "it installs /" + k_site + "demo as a file and as a folder");
  WheelBuilder launcher;
  launcher.files["demo-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\nrun = demo:main\n"};
  launcher.files["demo-1.0.data/scripts/run/x"] = {"2"};
  CHECK(plan.refusal(launcher) == "it installs /opt/kiln/bin/run as a file and as a folder");
}

TEST_CASE("no wheel replaces the environment's own files") {
  const Plan plan;
  for (const char* path : {"scripts/python", "scripts/python3", "scripts/python3.11", "data/pyvenv.cfg",
                           "data/lib64", "data/lib64/x", "data/bin/python", "data/lib/python3.11"}) {
    WheelBuilder builder;
    builder.files["demo-1.0.data/" + std::string(path)] = {""};
    CHECK_THAT(plan.refusal(builder), Catch::Matchers::StartsWith("it would replace /opt/kiln/"));
  }
  WheelBuilder builder;
  builder.files["demo-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\npython3 = demo:main\n"};
  CHECK(plan.refusal(builder) == "it would replace /opt/kiln/bin/python3 of the environment");
  WheelBuilder harmless;
  harmless.files["demo-1.0.data/scripts/python-config"] = {""};
  CHECK(plan.of(harmless).count("opt/kiln/bin/python-config"));
}

namespace {
struct Contents {
  TestFolder folder;
  std::vector<Wheel> wheels;
  void add(const WheelBuilder& builder) {
    wheels.push_back(must(Wheel::open(folder.write(builder.file_name(), builder.bytes()), builder.file_name())));
  }
  Result<void> check() const {
    std::vector<WheelContents> contents;
    for (const auto& wheel : wheels) contents.push_back({wheel.file_name(), wheel.entries()});
    return check_conflicts(contents, InstallScheme());
  }
};
WheelBuilder named(const std::string& name, const std::map<std::string, std::string>& files) {
  WheelBuilder builder;
  builder.name = name;
  for (const auto& [path, content] : files) builder.files[path] = {content};
  return builder;
}
}  // namespace

TEST_CASE("wheels that share a path with equal bytes are no conflict") {
  Contents t;
  t.add(named("a", {{"nvidia/__init__.py", ""}, {"nvidia/a/x", "1"}}));
  t.add(named("b", {{"nvidia/__init__.py", ""}, {"nvidia/b/x", "2"}}));
  must(t.check());
  must(check_conflicts({}, InstallScheme()));
}

TEST_CASE("wheels that write one path with different bytes are a conflict that names both and counts") {
  Contents t;
  t.add(named("a", {{"pkg/x", "1"}, {"pkg/y", "1"}, {"pkg/same", "s"}}));
  t.add(named("b", {{"pkg/x", "2"}, {"pkg/y", "22"}, {"pkg/same", "s"}}));
  t.add(named("c", {{"pkg/y", "22"}}));
  const auto error = error_of(t.check());
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK(error.message ==
        "a-1.0-py3-none-any.whl and b-1.0-py3-none-any.whl install the same path with different content: /" +
            k_site + "pkg/x");
  CHECK(error.notes == std::vector<std::string>{"2 paths of a-1.0-py3-none-any.whl and b-1.0-py3-none-any.whl",
                                                "1 path of a-1.0-py3-none-any.whl and c-1.0-py3-none-any.whl"});
  CHECK(error.hints.size() == 1);
}

TEST_CASE("paths meet where they are installed, not where they lie in the wheels") {
  Contents t;
  t.add(named("a", {{"pkg/x", "1"}}));
  t.add(named("b", {{"b-1.0.data/purelib/pkg/x", "2"}}));
  CHECK(error_of(t.check()).code == ErrorCode::package_conflict);
}

TEST_CASE("a file of one wheel where another has a folder is a conflict, whichever comes first") {
  for (const bool reversed : {false, true}) {
    Contents t;
    const auto file = named("a", {{"pkg", "1"}}), folder = named("b", {{"pkg/sub/x", "2"}});
    t.add(reversed ? folder : file);
    t.add(reversed ? file : folder);
    const auto error = error_of(t.check());
    CHECK(error.code == ErrorCode::package_conflict);
    CHECK_THAT(error.message, Catch::Matchers::EndsWith(": /" + k_site + "pkg"));
  }
}
