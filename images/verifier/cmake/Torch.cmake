# The image's torch, as the target image_torch. torch's own CMake package asks for an installed CUDA toolkit; the image
# has none, and none is needed: see libtorch/loaded.hpp.
#   TORCH_HAS_CUDA  whether this torch is one for CUDA
set(torch_folder ${KILN_SITE_PACKAGES}/torch)
set(torch_libraries ${torch_folder}/lib)
if(NOT EXISTS ${torch_libraries}/libtorch_cpu.so)
  message(FATAL_ERROR "KILN_SITE_PACKAGES: there is no torch in ${KILN_SITE_PACKAGES}")
endif()

add_library(image_torch INTERFACE)
target_include_directories(image_torch SYSTEM INTERFACE ${torch_folder}/include
                                                        ${torch_folder}/include/torch/csrc/api/include)
# As torch itself is compiled: an ATen header then includes the operators that it uses, not all of them.
target_compile_definitions(image_torch INTERFACE AT_PER_OPERATOR_HEADERS)
target_link_libraries(image_torch INTERFACE ${torch_libraries}/libtorch_cpu.so ${torch_libraries}/libc10.so)

# The wheels up to 2.6 have the C++ ABI from before GCC 5. c10::Error's constructor shows which one this is. All that is
# compiled here follows it.
file(STRINGS ${torch_libraries}/libc10.so new_abi REGEX "N3c105ErrorC[12]ENS_14SourceLocationENSt7__cxx11" LIMIT_COUNT 1)
if(NOT new_abi)
  add_compile_definitions(_GLIBCXX_USE_CXX11_ABI=0)
endif()

set(TORCH_HAS_CUDA OFF)
if(EXISTS ${torch_libraries}/libtorch_cuda.so)
  set(TORCH_HAS_CUDA ON)
  # nvidia/<library>/lib up to CUDA 12, nvidia/cu13/lib and others since.
  file(GLOB nvidia_libraries ${KILN_SITE_PACKAGES}/nvidia/*/lib ${KILN_SITE_PACKAGES}/cusparselt/lib)
  list(JOIN nvidia_libraries ":" nvidia_library_path)
  # libtorch_cuda registers its kernels when it is loaded; no symbol of it need be used for that, so it must be named as
  # needed. The linker checks that every symbol of every library is there: the image's CUDA libraries are complete.
  target_link_libraries(image_torch INTERFACE -Wl,--no-as-needed ${torch_libraries}/libtorch_cuda.so
                                              ${torch_libraries}/libc10_cuda.so)
  target_link_options(image_torch INTERFACE -Wl,-rpath-link,${nvidia_library_path}:${torch_libraries})
endif()
