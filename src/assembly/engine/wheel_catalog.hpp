#pragma once
// Finds out the layers of wheels for the catalog alone: each wheel is fetched, converted and thrown away, so that a
// catalog of many releases needs the room of a few wheels.

#include "assembly/engine/cache.hpp"
#include "foundation/base/progress.hpp"
#include "foundation/sys/http.hpp"
#include "knowledge/wheel/install.hpp"
#include "plan/lock/lock.hpp"

#include <span>

namespace torchkiln::engine {

/// The entries of the wheels that get a layer of their own (recipe::k_own_layer_bytes), one of each key. What
/// `known` has already is not fetched.
base::Result<layer::CatalogEntries> catalog_wheels(std::span<const lock::LockedWheel> wheels,
                                                   const wheel::InstallScheme& scheme,
                                                   const layer::CatalogEntries& known, const Cache& cache,
                                                   sys::HttpClient& http, base::Progress& progress);

}  // namespace torchkiln::engine
