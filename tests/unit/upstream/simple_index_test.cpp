#include "knowledge/upstream/simple_index.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::upstream;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::test::error_of;
using torchkiln::test::must;

namespace {

const std::string k_page = "https://index.example/simple/torch/";
const std::string k_hash(64, 'a');

}  // namespace

TEST_CASE("an HTML page gives what its attributes say of a file") {
  const auto files = must(parse_project_page(
      "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.1\"></head><body>\n"
      "<a href=\"../../files/torch-2.8.0%2Bcu126-cp311-cp311-linux_x86_64.whl#sha256=" +
          k_hash +
          "\" data-requires-python=\"&gt;=3.9&#44;&lt;4\" data-upload-time='2025-08-06T14:53:00Z' "
          "data-core-metadata=\"sha256=" +
          k_hash + "\">name</a><br/>",
      k_page));
  REQUIRE(files.size() == 1);
  CHECK(files[0].name == "torch-2.8.0+cu126-cp311-cp311-linux_x86_64.whl");
  CHECK(files[0].url == "https://index.example/files/torch-2.8.0%2Bcu126-cp311-cp311-linux_x86_64.whl");
  CHECK(files[0].digest.hex() == k_hash);
  CHECK(files[0].requires_python == ">=3.9,<4");
  CHECK(files[0].uploaded == "2025-08-06T14:53:00Z");
  CHECK(files[0].has_metadata);
  CHECK(files[0].metadata_digest.hex() == k_hash);
  CHECK_FALSE(files[0].yanked);
  CHECK_FALSE(files[0].size_bytes);
}

TEST_CASE("a JSON page gives the same, and the size") {
  const auto files = must(parse_project_page(
      R"({"meta":{"api-version":"1.3"},"name":"torch","files":[
        {"filename":"a-1-py3-none-any.whl","url":"../a-1-py3-none-any.whl","hashes":{"sha256":")" +
          k_hash +
          R"("},"size":7,"upload-time":"2025-08-06T14:53:00.123Z","yanked":"broken","core-metadata":{"sha256":")" +
          k_hash + R"("},"requires-python":null},
        {"filename":"b.whl","url":"https://files.example/b.whl","hashes":{},"yanked":false,"dist-info-metadata":true},
        {"filename":"c.whl","url":"file:///c.whl","hashes":{}}]})",
      k_page));
  REQUIRE(files.size() == 2);  // a link that is neither http nor https is left out
  CHECK(files[0].url == "https://index.example/simple/a-1-py3-none-any.whl");
  CHECK(files[0].digest.hex() == k_hash);
  CHECK(files[0].size_bytes == 7U);
  CHECK(files[0].uploaded == "2025-08-06T14:53:00.123Z");
  CHECK(files[0].yanked == "broken");
  CHECK(files[0].metadata_digest.hex() == k_hash);
  CHECK(files[1].has_metadata);
  CHECK(files[1].metadata_digest.is_none());
  CHECK_FALSE(files[1].yanked);
}

TEST_CASE("a yanked file needs no reason, and data-core-metadata=false offers nothing") {
  const auto files =
      must(parse_project_page("<a href=x.whl data-yanked data-core-metadata=false>x</a>"
                              "<!-- <a href=y.whl>y</a> --><A HREF='z.whl' data-yanked='why &amp; how'>z</A>",
                              k_page));
  REQUIRE(files.size() == 2);
  CHECK(files[0].yanked == "");
  CHECK_FALSE(files[0].has_metadata);
  CHECK(files[1].yanked == "why & how");
}

TEST_CASE("a page that is none is refused, and says whose it is") {
  const auto message = [](std::string_view page) {
    const auto error = error_of(parse_project_page(page, "https://user:secret@index.example/simple/torch/"));
    CHECK(error.code == ErrorCode::input_invalid);
    CHECK(error.message.find("secret") == std::string::npos);
    return error.message;
  };
  const std::string head = "https://index.example/simple/torch/ is no page of a package index: ";
  CHECK(message("not found") == head + "it is neither HTML nor JSON");
  CHECK(message("<a href=\"x.whl") == head + "a tag does not end");
  CHECK(message("<!-- open") == head + "a comment does not end");
  CHECK(message("<meta name='pypi:repository-version' content='2.0'>") ==
        head + "it has version '2.0' of the interface, and 1.x is known");
  CHECK(message(R"({"meta":{"api-version":"2.0"},"files":[]})") ==
        head + "it has version '2.0' of the interface, and 1.x is known");
  CHECK(message(R"({"meta":{"api-version":"1.0"},"files":[{"filename":1}]})").find("files[0].filename") !=
        std::string::npos);
  CHECK(message(R"({"meta":{"api-version":"1.0"},"files":[{"filename":"a","url":"a","size":-1}]})").find("size") !=
        std::string::npos);
}

TEST_CASE("pages have limits: of bytes, of files, and of a tag") {
  CHECK(must(parse_project_page("<a href=" + std::string(k_page_text_limit_bytes - 8, 'x') + ">", k_page)).size() ==
        1);
  CHECK(error_of(parse_project_page("<a href=" + std::string(k_page_text_limit_bytes, 'x') + ">", k_page))
            .message.ends_with("a tag is longer than any address"));
  std::string many;
  for (std::size_t i = 0; i < k_page_files_limit; ++i) many += "<a href=x>";
  CHECK(must(parse_project_page(many, k_page)).size() == k_page_files_limit);
  CHECK(error_of(parse_project_page(many + "<a href=x>", k_page)).message.ends_with("more files than any project"));
  CHECK(error_of(parse_project_page("<" + std::string(k_page_limit_bytes, 'x'), k_page))
            .message.find("it has more than") != std::string::npos);
}

TEST_CASE("a folder's links are absolute and named by their last part") {
  const auto links =
      must(parse_links("<html><a href='redistrib_12.8.1.json'>x</a><a name=top><a href='?C=N'>"
                       "<a href='mailto:a@b'><a href='/other/'>",
                       "https://vendor.example/cuda/redist/"));
  REQUIRE(links.size() == 3);
  CHECK(links[0] == Link{"redistrib_12.8.1.json", "https://vendor.example/cuda/redist/redistrib_12.8.1.json"});
  CHECK(links[2] == Link{"other", "https://vendor.example/other/"});
}
