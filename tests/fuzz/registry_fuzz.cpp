// What registries and token servers answer, and what `docker login` leaves.

#include "assembly/registry/address.hpp"
#include "assembly/registry/authorization.hpp"
#include "assembly/registry/credentials.hpp"
#include "assembly/registry/header_fields.hpp"

#include <algorithm>

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto is_visible = [](char c) { return c > ' ' && c < 0x7f; };
  registry::parse_challenges(bytes);
  registry::next_page(bytes);
  registry::received_bytes(bytes);
  registry::first_byte(bytes);
  const auto origin = registry::origin_of(bytes);
  TK_ASSERT(registry::origin_of(origin) == origin, "an origin has no more to lose");
  const auto reason = registry::told_reason(bytes);
  TK_ASSERT(std::all_of(reason.begin(), reason.end(), [&](char c) { return c == ' ' || is_visible(c); }),
            "a reason can be printed");
  if (const auto token = registry::parse_token(bytes, "server"))
    TK_ASSERT(std::all_of(token->text.begin(), token->text.end(), is_visible), "a token fits into a header");
  (void)registry::parse_credential_file(bytes, "config.json");
  if (const auto secrets = registry::parse_secrets(bytes, "config.json"); !secrets)
    TK_ASSERT(secrets.error().message == registry::parse_secrets("{", "config.json").error().message,
              "an error tells nothing of the text");
  return 0;
}
