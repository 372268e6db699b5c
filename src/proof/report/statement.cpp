#include "proof/report/statement.hpp"

namespace torchkiln::report {

using document::Json;

base::Result<std::string> statement_about(const std::string& image_name, const base::Digest& image,
                                          std::string_view predicate_type, Json predicate) {
  Json subject = Json::object();
  if (!image_name.empty()) subject["name"] = image_name;
  subject["digest"] = {{"sha256", image.hex()}};
  return document::to_bytes({{"_type", k_statement_type},
                             {"subject", Json::array({std::move(subject)})},
                             {"predicateType", predicate_type},
                             {"predicate", std::move(predicate)}});
}

}  // namespace torchkiln::report
