#include "proof/sbom/licence.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::sbom;

namespace {
Licence of(const std::string& header) {
  return licence_of(
      torchkiln::verify::read_wheel_metadata("Name: a\n" + header + "\n\nLicense: of the description\n"));
}
Licence is(const std::string& expression) {
  return {expression, {}};
}
Licence says(const std::string& text) {
  return {{}, text};
}
}  // namespace

TEST_CASE("an expression that SPDX knows is one, spelled as SPDX does") {
  CHECK(spdx_expression("mit") == "MIT");
  CHECK(spdx_expression("  bsd-3-clause   and (Apache-2.0 or MIT)") == "BSD-3-Clause AND (Apache-2.0 OR MIT)");
  CHECK(spdx_expression("GPL-3.0-or-later WITH GCC-exception-3.1") == "GPL-3.0-or-later WITH GCC-exception-3.1");
  CHECK(spdx_expression("LicenseRef-NVIDIA-Proprietary") == "LicenseRef-NVIDIA-Proprietary");
  CHECK(licence_references("MIT AND (LicenseRef-a OR LicenseRef-b)") ==
        std::vector<std::string>{"LicenseRef-a", "LicenseRef-b"});
  for (const auto* none : {"", "()", "MIT AND", "AND MIT", "MIT MIT", "(MIT", "MIT)", "BSD", "MIT WITH",
                           "LicenseRef-", "MIT WITH MIT", "LicenseRef-a_b", "Apache 2.0"}) {
    INFO(none);
    CHECK_FALSE(spdx_expression(none));
  }
  CHECK_FALSE(spdx_expression(std::string(2000, '(')));
  CHECK_FALSE(spdx_expression(std::string(k_licence_expression_limit_bytes, '(')));
}

TEST_CASE("the fields of METADATA come in an order") {
  CHECK(of("License-Expression: BSD-3-Clause AND MIT\nLicense: Apache-2.0") == is("BSD-3-Clause AND MIT"));
  CHECK(of("License: MIT License\nClassifier: License :: OSI Approved :: ISC License (ISCL)") == is("MIT"));
  CHECK(of("License: BSD\nClassifier: License :: OSI Approved :: BSD License") == says("BSD"));
  CHECK(of("License: see the file\nClassifier: License :: OSI Approved :: MIT License") == is("MIT"));
  CHECK(of("Classifier: License :: OSI Approved :: Apache Software License") == says("Apache Software License"));
  CHECK(of("Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: BSD "
           "License") == says("BSD License; MIT License"));
  CHECK(of("License: UNKNOWN") == Licence());
  CHECK(of("Summary: none is named") == Licence());
  CHECK(of("License: NVIDIA Proprietary Software") == says("NVIDIA Proprietary Software"));
  CHECK(of("License-Expression: Something-1.0") == says("Something-1.0"));
}

TEST_CASE("a whole licence is kept with its lines, within the limit and as UTF-8") {
  CHECK(of("License: Copyright us\n        All of it\n        is ours") ==
        says("Copyright us\nAll of it\nis ours"));
  CHECK(of("License: caf\xe9") == says("caf\xef\xbf\xbd"));
  CHECK(of("License: " + std::string(k_licence_text_limit_bytes + 1, 'x')).text.size() ==
        k_licence_text_limit_bytes);
}
