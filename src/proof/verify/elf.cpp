#include "proof/verify/elf.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <elf.h>

namespace torchkiln::verify {

namespace {

/// A structure at a place in the file; nothing where it does not fit.
template <typename Structure>
std::optional<Structure> at(std::string_view file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(Structure)) return std::nullopt;
  Structure value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::optional<Elf64_Ehdr> header_of(std::string_view file) {
  const auto header = at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) return std::nullopt;
  return header;
}

/// Where the loader would see addresses, and where they are in the file.
class Addresses {
 public:
  Addresses(std::string_view file, const Elf64_Ehdr& header) {
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      const auto segment = at<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return;
      if (segment->p_type == PT_LOAD) m_loaded.push_back(*segment);
      if (segment->p_type == PT_DYNAMIC) m_dynamic = *segment;
    }
  }

  std::optional<Elf64_Phdr> dynamic() const { return m_dynamic; }

  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const auto& segment : m_loaded)
      if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    return std::nullopt;
  }

 private:
  std::vector<Elf64_Phdr> m_loaded;
  std::optional<Elf64_Phdr> m_dynamic;
};

/// The strings of the dynamic section.
class Strings {
 public:
  Strings(std::string_view file, std::optional<std::uint64_t> offset)
      : m_text(offset && *offset < file.size() ? file.substr(*offset) : std::string_view()) {}

  std::string operator[](std::uint64_t index) const {
    if (index >= m_text.size()) return {};
    const auto text = m_text.substr(index);
    return std::string(text.substr(0, text.find('\0')));
  }

 private:
  std::string_view m_text;
};

void add_folders(const std::string& list, std::vector<std::string>& folders) {
  for (std::size_t begin = 0; begin <= list.size();) {
    const auto end = std::min(list.find(':', begin), list.size());
    if (end > begin) folders.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
}

/// A chain that does not end within this many links is a circle.
constexpr std::size_t k_chain_limit = 10'000;

void read_definitions(std::string_view file, std::uint64_t offset, const Strings& strings, Elf& elf) {
  for (std::size_t i = 0; i < k_chain_limit; ++i) {
    const auto definition = at<Elf64_Verdef>(file, offset);
    if (!definition) return;
    if (const auto name = at<Elf64_Verdaux>(file, offset + definition->vd_aux))
      elf.defines.insert(strings[name->vda_name]);
    if (definition->vd_next == 0) return;
    offset += definition->vd_next;
  }
}

void read_requirements(std::string_view file, std::uint64_t offset, const Strings& strings, Elf& elf) {
  for (std::size_t i = 0; i < k_chain_limit; ++i) {
    const auto library = at<Elf64_Verneed>(file, offset);
    if (!library) return;
    auto& versions = elf.requires_versions[strings[library->vn_file]];
    auto place = offset + library->vn_aux;
    for (unsigned k = 0; k < library->vn_cnt; ++k) {
      const auto version = at<Elf64_Vernaux>(file, place);
      if (!version) return;
      // A weak one need not be there (vna_flags).
      if ((version->vna_flags & VER_FLG_WEAK) == 0) versions.insert(strings[version->vna_name]);
      place += version->vna_next;
    }
    if (library->vn_next == 0) return;
    offset += library->vn_next;
  }
}

/// The bytes of a section; empty where there is none of that name.
std::string_view section(std::string_view file, std::string_view wanted) {
  const auto header = header_of(file);
  if (!header) return {};
  const auto section_at = [&](std::uint64_t index) {
    return at<Elf64_Shdr>(file, header->e_shoff + index * sizeof(Elf64_Shdr));
  };
  const auto names = section_at(header->e_shstrndx);
  if (!names) return {};
  const Strings strings(file, names->sh_offset);
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto found = section_at(i);
    if (!found || strings[found->sh_name] != wanted || found->sh_type == SHT_NOBITS) continue;
    if (found->sh_offset > file.size() || file.size() - found->sh_offset < found->sh_size) return {};
    return file.substr(found->sh_offset, found->sh_size);
  }
  return {};
}

/// A fat binary: its header, then entries of machine code and PTX.
struct FatBinaryHeader {
  std::uint32_t magic;
  std::uint16_t version, header_bytes;
  std::uint64_t size_bytes;  ///< of the entries
};
constexpr std::uint32_t k_fat_binary_magic = 0xba55ed50;

struct FatBinaryEntry {
  std::uint16_t kind, version;
  std::uint32_t header_bytes;
  std::uint64_t size_bytes;
  std::uint32_t compressed_bytes, unknown;
  std::uint16_t minor, major;
  std::uint32_t architecture;
};
constexpr std::uint16_t k_machine_code = 2;  // 1 is PTX

}  // namespace

std::optional<Elf> read_elf(std::string_view file) {
  const auto header = header_of(file);
  if (!header) return std::nullopt;
  const Addresses addresses(file, *header);
  const auto dynamic = addresses.dynamic();
  if (!dynamic) return std::nullopt;

  std::multimap<Elf64_Sxword, std::uint64_t> entries;
  for (std::uint64_t read = 0; read < dynamic->p_filesz; read += sizeof(Elf64_Dyn)) {
    const auto entry = at<Elf64_Dyn>(file, dynamic->p_offset + read);
    if (!entry || entry->d_tag == DT_NULL) break;
    entries.emplace(entry->d_tag, entry->d_un.d_val);
  }
  const auto offset_of = [&](Elf64_Sxword tag) -> std::optional<std::uint64_t> {
    const auto found = entries.find(tag);
    return found == entries.end() ? std::nullopt : addresses.offset_of(found->second);
  };
  const auto strings_at = offset_of(DT_STRTAB);
  if (!strings_at) return std::nullopt;
  const Strings strings(file, strings_at);

  Elf elf;
  for (const auto& [tag, value] : entries) {
    if (tag == DT_SONAME) elf.soname = strings[value];
    if (tag == DT_NEEDED) elf.needed.push_back(strings[value]);
    if (tag == DT_RPATH || tag == DT_RUNPATH) add_folders(strings[value], elf.search);
  }
  if (const auto offset = offset_of(DT_VERDEF)) read_definitions(file, *offset, strings, elf);
  if (const auto offset = offset_of(DT_VERNEED)) read_requirements(file, *offset, strings, elf);
  return elf;
}

GpuCode read_gpu_code(std::string_view file) {
  GpuCode code;
  const auto fat = section(file, ".nv_fatbin");
  for (std::uint64_t place = 0; place < fat.size();) {
    const auto header = at<FatBinaryHeader>(fat, place);
    if (!header) break;
    if (header->magic != k_fat_binary_magic) {  // padding between two
      place += sizeof(std::uint32_t);
      continue;
    }
    ++code.modules;
    std::set<unsigned> seen;
    const auto begin = place + header->header_bytes;
    const auto end = std::min<std::uint64_t>(begin + header->size_bytes, fat.size());
    for (auto entry_at = begin; entry_at < end;) {
      const auto entry = at<FatBinaryEntry>(fat, entry_at);
      if (!entry || entry->header_bytes == 0) break;
      if (entry->kind == k_machine_code) seen.insert(entry->architecture);
      entry_at += entry->header_bytes + entry->size_bytes;
    }
    for (const auto architecture : seen) ++code.modules_of[architecture];
    place = std::max(end, place + sizeof(FatBinaryHeader));
  }
  return code;
}

}  // namespace torchkiln::verify
