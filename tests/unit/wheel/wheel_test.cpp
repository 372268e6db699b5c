#include "knowledge/wheel/wheel.hpp"

#include "support/fault_server.hpp"
#include "support/test_folder.hpp"
#include "support/zip_builder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::wheel;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::sys::HttpClient;
using torchkiln::sys::HttpLimits;
using torchkiln::test::error_of;
using torchkiln::test::FaultServer;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using torchkiln::test::WheelFile;

namespace {

struct OpenWheel {
  TestFolder folder;
  Result<Wheel> open(const WheelBuilder& builder) const {
    return Wheel::open(folder.write("file", builder.bytes()), builder.file_name());
  }
  std::string refusal(const WheelBuilder& builder) const {
    const auto error = error_of(open(builder));
    CHECK(error.code == ErrorCode::input_invalid);
    const auto start = builder.file_name() + " is no valid wheel: ";
    CHECK(error.message.substr(0, start.size()) == start);
    return error.message.substr(start.size());
  }
};

std::vector<std::string> texts(const std::vector<RecordRow>& rows) {
  std::vector<std::string> list;
  for (const auto& row : rows) list.push_back(row.path + "|" + row.hash + "|" + row.size);
  return list;
}
std::vector<std::string> texts(const std::vector<EntryPoint>& points) {
  std::vector<std::string> list;
  for (const auto& point : points) list.push_back(point.name + "=" + point.module + ":" + point.object);
  return list;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a wheel's name is taken apart, with and without a build tag") {
  const auto name = must(parse_wheel_name("torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl"));
  CHECK(name.distribution == "torch");
  CHECK(name.version == "2.8.0");
  CHECK(name.build.empty());
  CHECK(name.python_tag == "cp311");
  CHECK(name.abi_tag == "cp311");
  CHECK(name.platform_tag == "manylinux_2_28_x86_64");
  const auto built = must(parse_wheel_name("a.b_c-1.0+cu128-1x-py2.py3-none-any.whl"));
  CHECK(built.distribution == "a.b_c");
  CHECK(built.version == "1.0+cu128");
  CHECK(built.build == "1x");
  CHECK(built.python_tag == "py2.py3");
}

TEST_CASE("names that are no wheel's are refused with what is wrong") {
  const auto refusal = [](const std::string& name) {
    const auto error = error_of(parse_wheel_name(name));
    CHECK(error.code == ErrorCode::input_invalid);
    return error.message.substr(error.message.find(": ") + 2);
  };
  CHECK(refusal("torch-2.8.0.tar.gz") == "its name does not end in .whl");
  CHECK(refusal("torch-2.8.0-py3-none.whl") == "its name does not have the parts name-version-python-abi-platform");
  CHECK(refusal("a-1-1-py3-none-any-x.whl") == "its name does not have the parts name-version-python-abi-platform");
  CHECK(refusal("-1-py3-none-any.whl") == "its name has an empty part");
  CHECK(refusal("a--py3-none-any.whl") == "its name has an empty part");
  CHECK(refusal("a-1-x1-py3-none-any.whl") == "its build tag does not begin with a digit");
  CHECK(refusal("../a-1-py3-none-any.whl") == "its name has a character that no wheel's name has");
  CHECK(refusal("a-1-py3-none-any\n.whl") == "its name has a character that no wheel's name has");
  CHECK(refusal("a\\b-1-py3-none-any.whl") == "its name has a character that no wheel's name has");
}

TEST_CASE("project names are compared as PEP 503 says") {
  CHECK(normalized_name("Flask_SQLAlchemy") == "flask-sqlalchemy");
  CHECK(normalized_name("zope.interface") == "zope-interface");
  CHECK(normalized_name("a-_.-b") == "a-b");
  CHECK(normalized_name("nvidia-cublas-cu12") == "nvidia-cublas-cu12");
}

TEST_CASE("RECORD is read with quoted names and either kind of line end") {
  CHECK(texts(must(parse_record("a.py,sha256=x,3\r\n\"b,\"\"c\"\".py\",,\n\"d\ne\",h,1", "w"))) ==
        Texts{"a.py|sha256=x|3", "b,\"c\".py||", "d\ne|h|1"});
  CHECK(must(parse_record("", "w")).empty());
  CHECK(texts(must(parse_record("\n\na,,\n\n", "w"))) == Texts{"a||"});
  CHECK(texts(must(parse_record("\"\",\"\",\"\"\n", "w"))) == Texts{"||"});
  CHECK(texts(must(parse_record("a\"b,,\n", "w"))) == Texts{"a\"b||"});
}

TEST_CASE("a RECORD that is no table of three columns is refused") {
  CHECK(error_of(parse_record("a,b\n", "w")).message ==
        "w is no valid wheel: its RECORD has a row without three fields: 'a'");
  CHECK(error_of(parse_record("a,b,c,d\n", "w")).code == ErrorCode::input_invalid);
  CHECK(error_of(parse_record("\"a,b,c\n", "w")).message ==
        "w is no valid wheel: its RECORD has an open quotation");
}

TEST_CASE("RECORD written and read again is the same") {
  const std::vector<RecordRow> rows = {
      {"plain", "sha256=x", "1"}, {"a,b", "", ""}, {"quo\"te", "", ""}, {"line\nend", "", ""}, {" space ", "", ""}};
  CHECK(format_record({rows.data(), 2}) == "plain,sha256=x,1\n\"a,b\",,\n");
  CHECK(texts(must(parse_record(format_record(rows), "w"))) == texts(rows));
  // Found by tests/fuzz/zip_fuzz.cpp: a hash or a size cannot become a row of its own.
  const std::vector<RecordRow> hostile = {{"a", "x\nb,sha256=y,1", "\"2,3\""}};
  CHECK(texts(must(parse_record(format_record(hostile), "w"))) == texts(hostile));
}

TEST_CASE("entry points are the console and GUI scripts, in file order, without extras and comments") {
  CHECK(texts(must(
            parse_entry_points("# comment\n[console_scripts]\nb = pkg.mod:main\n a=pkg:Class.method [extra]\n\n"
                               "; other comment\n[plugins]\nx = y\n[gui_scripts]\r\ng = pkg : run\r\n",
                               "w"))) == Texts{"b=pkg.mod:main", "a=pkg:Class.method", "g=pkg:run"});
  CHECK(must(parse_entry_points("", "w")).empty());
  CHECK(texts(must(parse_entry_points("[console_scripts]\nx=\xC3\xA4.b:c\n", "w"))) == Texts{"x=\xC3\xA4.b:c"});
}

TEST_CASE("entry points that could become something else than a call are refused") {
  const auto refusal = [](const std::string& line) {
    const auto error = error_of(parse_entry_points("[console_scripts]\n" + line + "\n", "w"));
    CHECK(error.code == ErrorCode::input_invalid);
    return error.message.substr(std::string("w is no valid wheel: ").size());
  };
  CHECK(refusal("nothing") == "its entry_points.txt has the line 'nothing'");
  CHECK(refusal("x = module") == "its script 'x' has the target 'module', not module:object");
  CHECK(refusal("x = :f") == "its script 'x' has the target ':f', not module:object");
  CHECK(refusal("x = m:") == "its script 'x' has the target 'm:', not module:object");
  CHECK(refusal("x = os; import y:f") == "its script 'x' has the target 'os; import y:f', not module:object");
  CHECK(refusal("x = m:f()") == "its script 'x' has the target 'm:f()', not module:object");
  CHECK(refusal("../x = m:f") == "it has a script called '../x'");
  CHECK(refusal("a/b = m:f") == "it has a script called 'a/b'");
  CHECK(refusal("= m:f") == "it has a script called ''");
  CHECK(refusal(".. = m:f") == "it has a script called '..'");
  CHECK(refusal("a\x01z = m:f") == "it has a script called 'a\x01z'");
}

TEST_CASE("a wheel is opened with its metadata, its entries sorted") {
  const OpenWheel t;
  WheelBuilder builder;
  builder.files["demo/z.py"] = {"z"};
  builder.files["demo/a.py"] = {"a = 1\n"};
  builder.files["demo-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\ndemo = demo.a:main\n"};
  const auto wheel = must(t.open(builder));
  CHECK(wheel.name().distribution == "demo");
  CHECK(wheel.dist_info() == "demo-1.0.dist-info");
  CHECK(wheel.data_folder().empty());
  CHECK(wheel.root_is_purelib());
  CHECK(wheel.record().size() == 6);
  CHECK(texts(wheel.entry_points()) == Texts{"demo=demo.a:main"});
  Texts names;
  for (const auto& entry : wheel.entries()) names.push_back(entry.name);
  CHECK(std::is_sorted(names.begin(), names.end()));
  REQUIRE(wheel.find("demo/a.py"));
  CHECK(must(wheel.content(*wheel.find("demo/a.py"))) == "a = 1\n");
  CHECK(must(wheel.compressed(*wheel.find("demo/a.py"))).size() == 11);
  CHECK_FALSE(wheel.find("demo/b.py"));
  CHECK_FALSE(wheel.find("demo"));
}

TEST_CASE("a wheel in a cache is opened under its own name, not the file's") {
  const OpenWheel t;
  WheelBuilder builder;
  builder.name = "Demo_X";
  CHECK(must(t.open(builder)).file_name() == "Demo_X-1.0-py3-none-any.whl");
  CHECK(error_of(Wheel::open(t.folder.path("file"), "other-1.0-py3-none-any.whl")).message ==
        "other-1.0-py3-none-any.whl is no valid wheel: its .dist-info folder is 'Demo_X-1.0.dist-info'");
  CHECK(must(Wheel::open(t.folder.path("file"), "demo.x-1.0-py3-none-any.whl")).dist_info() ==
        "Demo_X-1.0.dist-info");
}

TEST_CASE("wheels without what a wheel must have are refused") {
  const OpenWheel t;
  const auto without = [&](const std::string& file) {
    WheelBuilder builder;
    auto zip = builder.zip();
    zip.parts.erase(std::remove_if(zip.parts.begin(), zip.parts.end(),
                                   [&](const auto& part) { return part.name.ends_with(file); }),
                    zip.parts.end());
    return error_of(Wheel::open(t.folder.write("file", zip.bytes()), builder.file_name())).message;
  };
  CHECK(without("/RECORD") == "demo-1.0-py3-none-any.whl is no valid wheel: it has no RECORD");
  CHECK(without("/WHEEL") == "demo-1.0-py3-none-any.whl is no valid wheel: it has no WHEEL file");
  CHECK(without("") == "demo-1.0-py3-none-any.whl is no valid wheel: it has no .dist-info folder");
  WheelBuilder twice;
  twice.files["other-1.0.dist-info/METADATA"] = {""};
  CHECK(t.refusal(twice) == "it has two .dist-info folders");
  WheelBuilder data;
  data.files["a.data/scripts/x"] = {""};
  data.files["b.data/scripts/x"] = {""};
  CHECK(t.refusal(data) == "it has two .data folders");
}

TEST_CASE("wheel formats of the future are refused, those of the past and present read") {
  const OpenWheel t;
  const auto with_version = [&](const std::string& text) {
    WheelBuilder builder;
    builder.files["demo-1.0.dist-info/WHEEL"] = {text};
    return builder;
  };
  CHECK(t.refusal(with_version("Wheel-Version: 2.0\n")) == "its Wheel-Version is '2.0'; 1.x is understood");
  CHECK(t.refusal(with_version("Generator: x\n")) == "its Wheel-Version is ''; 1.x is understood");
  CHECK(t.refusal(with_version("Wheel-Version: 10.0\n")) == "its Wheel-Version is '10.0'; 1.x is understood");
  CHECK_FALSE(must(t.open(with_version("wheel-version:1.9\r\nRoot-Is-Purelib: false\r\n"))).root_is_purelib());
  CHECK(must(t.open(with_version("Wheel-Version: 1.0\nROOT-IS-PURELIB: True\n"))).root_is_purelib());
}

TEST_CASE("a file whose bytes do not have their CRC is found out when it is read") {
  const OpenWheel t;
  for (const std::uint16_t method : {0, 8}) {
    WheelBuilder builder;
    builder.files["demo/a.py"] = {"some text", 0100644, method};
    auto bytes = builder.bytes();
    bytes[bytes.find("some text")] = 'S';
    const auto wheel = must(Wheel::open(t.folder.write("file", bytes), builder.file_name()));
    CHECK(error_of(wheel.content(*wheel.find("demo/a.py"))).message ==
          "demo-1.0-py3-none-any.whl is no valid wheel: 'demo/a.py': its CRC-32 is wrong");
  }
}

TEST_CASE("what is no file, or no zip, is an error with the wheel's name") {
  const OpenWheel t;
  CHECK(error_of(Wheel::open(t.folder.path("none"), "demo-1.0-py3-none-any.whl")).code == ErrorCode::file_failed);
  for (const char* bytes : {"", "not a zip"})
    CHECK(error_of(Wheel::open(t.folder.write("file", bytes), "demo-1.0-py3-none-any.whl")).message ==
          "demo-1.0-py3-none-any.whl is not a zip file that can be trusted: it is shorter than the end record");
}

namespace {
HttpLimits quick() {
  HttpLimits limits;
  limits.attempts = 2;
  limits.backoff_s = 0.02;
  return limits;
}
}  // namespace

TEST_CASE("the directories of wheels are read by range, without the wheels") {
  const FaultServer server;
  WheelBuilder small, large;
  small.files["demo/a.py"] = {"a"};
  large.name = "large";
  // A directory that begins before the last 66,000 bytes, so that a second request is needed.
  for (int i = 0; i < 1500; ++i) large.files["large/file" + std::to_string(i)] = {std::string(1000, 'x')};
  server.serve("small.whl", small.bytes());
  server.serve("large.whl", large.bytes());
  HttpClient http(quick());
  const auto directories = must(read_directories(
      http, std::vector<std::string>{server.url("small.whl"), server.url("large.whl"), server.url("small.whl")}));
  REQUIRE(directories.size() == 3);
  REQUIRE(directories[0]);
  CHECK(directories[0]->file_bytes == small.bytes().size());
  CHECK(directories[0]->entries.size() == 4);
  CHECK(directories[0]->entries == directories[2]->entries);
  REQUIRE(directories[1]);
  CHECK(directories[1]->file_bytes == large.bytes().size());
  CHECK(directories[1]->entries.size() == 1503);
  CHECK(directories[1]->unpacked_bytes() > 1'500'000);
  CHECK(server.requests().size() == 4);

  const TestFolder folder;
  const auto opened = must(Wheel::open(folder.write("file", small.bytes()), small.file_name()));
  auto entries = directories[0]->entries;
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  CHECK(entries == opened.entries());
}

TEST_CASE("a server that does not honour ranges gives nothing, and the others are read all the same") {
  const FaultServer server;
  const WheelBuilder builder;
  server.serve("a.whl", builder.bytes());
  HttpClient http(quick());
  const auto directories = must(read_directories(
      http, std::vector<std::string>{server.url("a.whl", "plan", R"([{"forever": true, "ignore_range": true}])"),
                                     server.url("a.whl")}));
  CHECK_FALSE(directories[0]);
  CHECK(directories[1]);
}

TEST_CASE("what is at the address but no wheel is refused by its address, without its password") {
  const FaultServer server;
  server.serve("a.whl", std::string(100'000, 'x'));
  HttpClient http(quick());
  auto url = server.url("a.whl");
  url.insert(7, "user:secret@");
  const auto error = error_of(read_directories(http, std::vector<std::string>{url}));
  CHECK(error.code == ErrorCode::input_invalid);
  CHECK(error.message == server.url("a.whl") + " is not a zip file that can be trusted: it has no end record");
}

TEST_CASE("a wheel that is gone is network_failed") {
  const FaultServer server;
  HttpClient http(quick());
  CHECK(error_of(read_directories(http, std::vector<std::string>{server.url("gone.whl")})).code ==
        ErrorCode::network_failed);
}
