// Writes made-up audits in every format, for readers that are not ours (tests/e2e/test_audit_formats.py):
// write_audit_documents FOLDER makes FOLDER/<audit>.<format>.

#include "foundation/sys/files.hpp"
#include "support/audit_grids.hpp"

#include <cstdio>

using namespace torchkiln;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_audit_documents FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const std::pair<std::string, std::unique_ptr<test::AuditSample>> audits[] = {
      {"small", test::small_audit()},
      {"fleet", test::large_audit(200, 40, 12)},
      {"large", test::large_audit(200, 40, 200)},
      {"hostile", test::hostile_audit()},
      {"nothing", std::make_unique<test::AuditSample>()}};
  for (const auto& [name, sample] : audits)
    for (const auto& format : console::audit_format_names()) {
      const auto text = test::written(*console::parse_audit_format(format), sample->grid);
      if (const auto done = sys::write_file(folder / (name + "." + format), text); !done) {
        std::fprintf(stderr, "%s\n", done.error().message.c_str());
        return 1;
      }
    }
  return 0;
}
