#include "knowledge/upstream/remote_wheel.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/wheel/inflate.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <algorithm>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

base::Unexpected no_ranges(const IndexFile& file) {
  return fail(ErrorCode::network_failed,
              "the server of " + base::without_credentials(file.url) +
                  " sends whole files only, and the wheel would have to be downloaded for a few of its bytes",
              {"name an index whose files are served by byte ranges: --index https://index.example/simple"});
}

const wheel::ZipEntry* find_member(const std::vector<wheel::ZipEntry>& entries, const std::string& wanted) {
  const bool in_dist_info = wanted.starts_with("*/");
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const wheel::ZipEntry& entry) {
    if (!in_dist_info) return entry.name == wanted;
    const auto slash = entry.name.find('/');
    return slash != std::string::npos && entry.name.substr(slash) == wanted.substr(1) &&
           std::string_view(entry.name).substr(0, slash).ends_with(".dist-info");
  });
  return found == entries.end() ? nullptr : &*found;
}

/// The member out of the bytes from its local header to the next one.
Result<std::string> unpack(wheel::ZipEntry entry, std::string_view slice, const std::string& file) {
  entry.end_offset -= entry.header_offset;
  entry.header_offset = 0;
  TK_TRY(const auto data, wheel::entry_data(std::as_bytes(std::span(slice.data(), slice.size())), entry, file));
  std::string content;
  content.reserve(static_cast<std::size_t>(entry.size_bytes));
  const auto take = [&](std::span<const std::byte> piece) {
    content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  };
  if (entry.method == wheel::ZipMethod::deflated) {
    auto inflated = wheel::inflate(data, entry.size_bytes, entry.crc32, take);
    if (!inflated) {
      auto error = std::move(inflated).error();
      error.message = file + ", '" + entry.name + "': " + error.message;
      return fail(std::move(error));
    }
  } else {
    take(data);
    if (content.size() != entry.size_bytes || wheel::crc32_of(data) != entry.crc32)
      return fail(ErrorCode::integrity_failed, file + ", '" + entry.name + "': its CRC-32 is wrong");
  }
  return content;
}

/// METADATA of the questions whose index offers it.
Result<void> read_metadata_files(sys::HttpClient& http, std::span<const WheelQuestion> questions,
                                 std::vector<RemoteWheel>& wheels) {
  std::vector<std::size_t> asked;
  std::vector<sys::Fetch> fetches;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const auto& [file, members] = questions[i];
    if (!file.has_metadata || std::find(members.begin(), members.end(), k_metadata_member) == members.end())
      continue;
    asked.push_back(i);
    fetches.push_back({file.url + ".metadata", std::nullopt, "", sys::Absence::is_an_answer});
  }
  TK_TRY(auto answers, http.fetch_all(fetches));
  for (std::size_t k = 0; k < asked.size(); ++k) {
    if (answers[k].status != 200) continue;  // promised and not there: the wheel has it too
    const auto& file = questions[asked[k]].file;
    if (!file.metadata_digest.is_none() && base::Digest::of(answers[k].body) != file.metadata_digest)
      return fail(ErrorCode::integrity_failed,
                  base::without_credentials(fetches[k].url) + " does not have the digest that its index gives");
    wheels[asked[k]].fetched_bytes += answers[k].body.size();
    wheels[asked[k]].members.emplace(k_metadata_member, std::move(answers[k].body));
  }
  return {};
}

}  // namespace

Result<std::vector<RemoteWheel>> read_wheels(sys::HttpClient& http, std::span<const WheelQuestion> questions) {
  std::vector<RemoteWheel> wheels(questions.size());
  TK_CHECK(read_metadata_files(http, questions, wheels));

  std::vector<std::size_t> opened;
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    wheels[i].size_bytes = questions[i].file.size_bytes.value_or(0);
    const auto& members = questions[i].members;
    if (!members.empty() && std::all_of(members.begin(), members.end(), [&](const std::string& member) {
          return wheels[i].members.count(member) != 0;
        }))
      continue;
    opened.push_back(i);
    urls.push_back(questions[i].file.url);
  }
  TK_TRY(auto directories, wheel::read_directories(http, urls));

  struct Wanted {
    std::size_t question;
    std::string member;
    wheel::ZipEntry entry;
  };
  std::vector<Wanted> wanted;
  std::vector<sys::Fetch> fetches;
  for (std::size_t k = 0; k < opened.size(); ++k) {
    const auto i = opened[k];
    const auto& file = questions[i].file;
    if (!directories[k]) return no_ranges(file);
    if (wheels[i].size_bytes != 0 && wheels[i].size_bytes != directories[k]->file_bytes)
      return fail(ErrorCode::integrity_failed, file.name + " does not have the size that its index gives");
    wheels[i].size_bytes = directories[k]->file_bytes;
    if (questions[i].members.empty()) {
      wanted.push_back({i, "", {}});
      fetches.push_back({file.url, sys::ByteRange{0, 1, false}});
    }
    for (const auto& member : questions[i].members) {
      const auto* entry = find_member(directories[k]->entries, member);
      if (!entry || wheels[i].members.count(member) != 0) continue;
      if (entry->size_bytes > k_member_limit_bytes)
        return fail(ErrorCode::input_invalid, file.name + ", '" + entry->name + "': it has more than " +
                                                  base::format_bytes(k_member_limit_bytes));
      wanted.push_back({i, member, *entry});
      fetches.push_back(
          {file.url, sys::ByteRange{entry->header_offset, entry->end_offset - entry->header_offset, false}});
    }
  }
  TK_TRY(auto pieces, http.fetch_all(fetches));
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const auto& file = questions[wanted[k].question].file;
    if (pieces[k].status != 206) return no_ranges(file);
    auto& wheel = wheels[wanted[k].question];
    wheel.modified_s = pieces[k].modified_s;
    wheel.fetched_bytes += pieces[k].body.size();
    if (wanted[k].member.empty()) continue;
    TK_TRY(wheel.members[wanted[k].member], unpack(wanted[k].entry, pieces[k].body, file.name));
    pieces[k].body = {};
  }
  return wheels;
}

}  // namespace torchkiln::upstream
