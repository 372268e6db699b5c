// A stand-in for libnvidia-ml.so.1 with two GPUs, as the part of nvml.h that torchkiln uses describes it. The
// environment variable FAKE_NVML_INIT is the code that nvmlInit_v2 gives.

#include <cstdio>
#include <cstdlib>

namespace {

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};

struct Board {
  const char* name;
  const char* uuid;
  const char* bus;
  int major, minor, brand;
};
constexpr Board k_boards[] = {{"NVIDIA A100-SXM4-80GB", "GPU-aaaa", "00000000:8A:00.0", 8, 0, 14},
                              {"NVIDIA GeForce RTX 4090", "GPU-bbbb", "00000000:07:00.0", 8, 9, 5}};

int put(char* text, unsigned size, const char* value) {
  std::snprintf(text, size, "%s", value);
  return 0;
}
const Board& board(void* device) {
  return *static_cast<const Board*>(device);
}

}  // namespace

extern "C" {
int nvmlInit_v2() {
  const char* code = std::getenv("FAKE_NVML_INIT");
  return code ? std::atoi(code) : 0;
}
int nvmlShutdown() {
  return 0;
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  return put(text, size, "580.65.06");
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = const_cast<Board*>(&k_boards[index]);
  return 0;
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  return put(text, size, board(device).name);
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  return put(text, size, board(device).uuid);
}
int nvmlDeviceGetPciInfo_v3(void* device, PciInfo* pci) {
  return put(pci->bus_id, sizeof pci->bus_id, board(device).bus);
}
int nvmlDeviceGetCudaComputeCapability(void* device, int* major, int* minor) {
  *major = board(device).major;
  *minor = board(device).minor;
  return 0;
}
int nvmlDeviceGetBrand(void* device, int* brand) {
  *brand = board(device).brand;
  return 0;
}
}
