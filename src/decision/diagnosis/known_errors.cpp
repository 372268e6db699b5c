#include "decision/diagnosis/known_errors.hpp"

namespace torchkiln::diagnosis {

namespace {

using Texts = std::string_view;

constexpr Texts k_with_gpus = "docker run --rm --gpus all IMAGE nvidia-smi";
constexpr Command k_pass_gpus = {"if nvidia-smi fails in the container too, start it with the GPUs", k_with_gpus};
constexpr Command k_resolve_here = {"choose a release that this machine runs as it is",
                                    "torchkiln resolve --this-host"};
constexpr Command k_audit_here = {"ask which images run here", "torchkiln audit kiln.lock"};
constexpr Command k_library_path = {"take system CUDA folders off LD_LIBRARY_PATH: the wheels bring their own",
                                    "env -u LD_LIBRARY_PATH python PROGRAM.py"};
constexpr Command k_shared_memory = {"give the container shared memory, or the host's",
                                     "docker run --shm-size=8g --gpus all IMAGE"};

// E01
constexpr Pattern k_e01[] = {{{"cuda driver version is insufficient for cuda runtime version"}},
                             {{"cudaerrorinsufficientdriver"}}};
constexpr Command k_e01_fix[] = {k_pass_gpus, k_resolve_here, {"or install a newer driver on the host", ""}};
constexpr Texts k_e01_seen[] = {"NVIDIA/nvidia-docker#400", "NVIDIA/nvidia-docker#781", "NVIDIA/nvidia-docker#1066",
                                "NVIDIA/DIGITS#1769"};
// E02
constexpr Pattern k_e02[] = {{{"no kernel image is available for execution on the device"}},
                             {{"cuda capability sm_", "is not compatible with the current pytorch installation"}},
                             {{"cudaerrornokernelimagefordevice"}}};
constexpr Command k_e02_fix[] = {
    k_resolve_here,
    {"see what the installed build has kernels for",
     "python -c 'import torch; print(torch.__version__, torch.cuda.get_arch_list())'"}};
constexpr Texts k_e02_seen[] = {"Comfy-Org/ComfyUI#16438", "pytorch/pytorch#31285",
                                "facebookresearch/detectron2#512"};
// E03
constexpr Pattern k_e03[] = {{{"forward compatibility was attempted on non supported hw"}},
                             {{"cudaerrorcompatnotsupportedondevice"}},
                             {{"cuda_error_compat_not_supported_on_device"}}};
constexpr Command k_e03_fix[] = {
    {"see which libcuda is loaded; one below /usr/local/cuda/compat has to go off the library path",
     "ldconfig -p | grep libcuda.so.1"},
    {"when there is no compat package, the driver was updated under the running kernel module: reboot", ""},
    k_resolve_here};
constexpr Texts k_e03_seen[] = {"NVIDIA/nvidia-docker#1294", "NVIDIA/nvidia-docker#1515",
                                "microsoft/onnxruntime#21435"};
// E04
constexpr Pattern k_e04[] = {{{"found no nvidia driver on your system"}}};
constexpr Command k_e04_fix[] = {{"start the container with the GPUs", k_with_gpus},
                                 {"without a container: see whether the driver is loaded", "nvidia-smi"}};
constexpr Texts k_e04_seen[] = {"NVIDIA/nvidia-docker#533", "NVIDIA/nvidia-docker#1234", "runpod/containers#56"};
// E05
constexpr Pattern k_e05[] = {{{"libcuda.so.1: cannot open shared object file"}},
                             {{"could not load dynamic library 'libcuda.so.1'"}}};
constexpr Command k_e05_fix[] = {
    {"start the container with the GPUs and the compute capability",
     "docker run --rm --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE nvidia-smi"},
    {"while an image is built there is no driver: link against the stubs of the toolkit, and do not run CUDA", ""}};
constexpr Texts k_e05_seen[] = {"ggml-org/llama.cpp#7822", "leejet/stable-diffusion.cpp#1352",
                                "NVIDIA/nvidia-docker#76"};
// E06
constexpr Pattern k_e06[] = {{{"requirement error:", "unsatisfied condition:"}}};
constexpr Command k_e06_fix[] = {
    {"ask what the driver would run", "torchkiln audit --require 'CONDITION'"},
    k_resolve_here,
    {"or start it all the same, knowing that minor-version compatibility has to be enough",
     "docker run --rm --gpus all -e NVIDIA_DISABLE_REQUIRE=1 IMAGE nvidia-smi"}};
constexpr Texts k_e06_seen[] = {"MauriceNino/dashdot#1226", "SyneRBI/PETRIC2#27", "NVIDIA/nvidia-docker#1442"};
// E07
constexpr Pattern k_e07[] = {{{"could not select device driver", "capabilities: [[gpu"}}};
constexpr Command k_e07_fix[] = {
    {"install nvidia-container-toolkit on the host, register it and restart the engine",
     "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"}};
constexpr Texts k_e07_seen[] = {"NVIDIA/nvidia-docker#1034", "NVIDIA/nvidia-docker#1352"};
// E08
constexpr Pattern k_e08[] = {{{"failed to initialize nvml: driver/library version mismatch"}},
                             {{"nvml: driver/library version mismatch"}},
                             {{"nvml error", "driver/library version mismatch"}}};
constexpr Command k_e08_fix[] = {
    {"see both versions", "cat /proc/driver/nvidia/version; modinfo -F version nvidia"},
    {"reboot the host, or unload the kernel modules and load the new ones", "sudo reboot"},
    {"keep unattended upgrades from replacing the driver under a running system",
     "sudo apt-mark hold 'nvidia-*' 'libnvidia-*'"}};
constexpr Texts k_e08_seen[] = {"lyulyul/shine-cluster#30", "tinygrad/open-gpu-kernel-modules#47",
                                "mozilla/translations#1167"};
// E09
constexpr Pattern k_e09[] = {{{"failed to initialize nvml: unknown error"}}};
constexpr Command k_e09_fix[] = {
    {"start the container again: it works until systemd reloads", k_with_gpus},
    {"for good: have the engine use CDI, which names the device nodes",
     "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"},
    {"or set Docker's cgroup driver to cgroupfs: \"exec-opts\": [\"native.cgroupdriver=cgroupfs\"] in daemon.json",
     ""}};
constexpr Texts k_e09_seen[] = {"NVIDIA/nvidia-docker#1671", "NVIDIA/nvidia-container-toolkit#115"};
// E10
constexpr Pattern k_e10[] = {{{"system has unsupported display driver / cuda driver combination"}},
                             {{"cudaerrorsystemdrivermismatch"}},
                             {{"cuda_error_system_driver_mismatch"}}};
constexpr Command k_e10_fix[] = {
    {"see every libcuda that is there; only the one of the kernel module's version may be found",
     "ldconfig -p | grep libcuda.so; cat /proc/driver/nvidia/version"},
    {"take /usr/local/cuda/compat off the library path", "env -u LD_LIBRARY_PATH python PROGRAM.py"}};
constexpr Texts k_e10_seen[] = {"NVIDIA/nvidia-docker#1256", "NVIDIA/nvidia-docker#1705", "llm-d/llm-d#706"};
// E11
constexpr Pattern k_e11[] = {{{"error 802: system not yet initialized"}},
                             {{"system not yet initialized"}},
                             {{"cudaerrorsystemnotready"}},
                             {{"cuda_error_system_not_ready"}}};
constexpr Command k_e11_fix[] = {
    {"on a host with NVSwitch install the fabric manager of exactly the driver's version and start it",
     "systemctl status nvidia-fabricmanager; nvidia-smi -q | grep -A 3 Fabric"},
    {"on another host see the release notes of the driver: there are other causes (gpu-burn#133)", ""}};
constexpr Texts k_e11_seen[] = {"pytorch/pytorch#35710", "aws-samples/aws-deep-learning-ami-ubuntu-dcv-desktop#33",
                                "huggingface/huggingface_hub#4134", "wilicc/gpu-burn#92"};
// E12
constexpr Pattern k_e12[] = {{{"failed to find c compiler"}}};
constexpr Command k_e12_fix[] = {
    {"use an image with a compiler: the variant devel", "torchkiln build --variant devel"},
    {"or install one in the image", "apt-get install -y --no-install-recommends gcc libc6-dev"}};
constexpr Texts k_e12_seen[] = {"sgl-project/sglang#1067", "kubeflow/trainer#2884", "RosettaCommons/foundry#221"};
// E13
constexpr Pattern k_e13[] = {{{"ptxas fatal", "value 'sm_", "is not defined for option 'gpu-name'"}}};
constexpr Command k_e13_fix[] = {
    {"let Triton use the ptxas of a newer CUDA toolkit",
     "TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas python PROGRAM.py"},
    {"or choose a PyTorch release with a newer Triton", "torchkiln resolve --this-host"}};
constexpr Texts k_e13_seen[] = {"triton-lang/triton#8539"};
// E14
constexpr Pattern k_e14[] = {{{"undefined symbol: nccl"}}};
constexpr Command k_e14_fix[] = {
    {"see which NCCL packages are installed: one only, of the CUDA major version of torch",
     "python -m pip list | grep -i nccl"},
    k_library_path};
constexpr Texts k_e14_seen[] = {"pytorch/pytorch#119932", "pytorch/pytorch#119072", "pytorch/pytorch#186591",
                                "NVIDIA/nccl#1180"};
// E15
constexpr Pattern k_e15[] = {{{"undefined symbol: __nvjitlink"}},
                             {{"symbol __nvjitlink", "version libnvjitlink.so"}}};
constexpr Command k_e15_fix[] = {
    k_library_path,
    {"see which libnvJitLink is found first", "ldconfig -p | grep nvJitLink; echo $LD_LIBRARY_PATH"}};
constexpr Texts k_e15_seen[] = {"pytorch/pytorch#111469", "pytorch/pytorch#134929", "pytorch/pytorch#140797",
                                "infiniflow/ragflow#4466"};
// E16
constexpr Pattern k_e16[] = {
    {{"cudnn version incompatibility: pytorch was compiled against", "found runtime version"}}};
constexpr Command k_e16_fix[] = {k_library_path};
constexpr Texts k_e16_seen[] = {"pytorch/pytorch#80877"};
// E17
constexpr Pattern k_e17[] = {{{"unable to load any of {libcudnn"}}, {{"cannot load symbol cudnn"}}};
constexpr Command k_e17_fix[] = {
    {"see which cuDNN packages are installed: one only, of the major version that the program was built with",
     "python -m pip list | grep -i cudnn; ldconfig -p | grep libcudnn"},
    {"install the cuDNN package whole, with its sub-libraries",
     "python -m pip install --force-reinstall nvidia-cudnn-cu12"}};
constexpr Texts k_e17_seen[] = {"MahmoudAshraf97/whisper-diarization#259", "jhj0517/Whisper-WebUI#346"};
// E18
constexpr Pattern k_e18[] = {{{"cudnn_status_not_initialized"}}};
constexpr Command k_e18_fix[] = {{"see whether the GPU's memory is full", "nvidia-smi"},
                                 {"see whether driver, cuDNN and GPU go together", "torchkiln audit kiln.lock"},
                                 k_library_path};
constexpr Texts k_e18_seen[] = {"pytorch/pytorch#53720", "pytorch/pytorch#53458", "haotian-liu/LLaVA#458"};
// E19
constexpr Pattern k_e19[] = {{{"dataloader worker", "killed by signal: bus error"}},
                             {{"insufficient shared memory (shm)"}}};
constexpr Command k_e19_fix[] = {k_shared_memory, {"see how much there is in the container", "df -h /dev/shm"}};
constexpr Texts k_e19_seen[] = {"pytorch/pytorch#5040", "open-mmlab/mmdetection#1997",
                                "fastai/docker-containers#21"};
// E20
constexpr Pattern k_e20[] = {{{"nccl", "posix_fallocate failed", "no space left on device"}},
                             {{"nccl", "error while creating shared memory segment"}},
                             {{"nccl", "unhandled system error"}}};
constexpr Command k_e20_fix[] = {k_shared_memory,
                                 {"have NCCL say which call failed", "NCCL_DEBUG=INFO python PROGRAM.py"}};
constexpr Texts k_e20_seen[] = {"NVIDIA/nccl#342", "NVIDIA/nccl#290", "NVIDIA/nccl#473", "vllm-project/vllm#1710",
                                "NVIDIA/nccl#328"};
// E21
constexpr Pattern k_e21[] = {{{"the nvidia driver on your system is too old (found version"}}};
constexpr Command k_e21_fix[] = {k_resolve_here, {"or install a newer driver on the host", ""}};
constexpr Texts k_e21_seen[] = {"IEIT-Yuan/Yuan-2.0#65", "pytorch/pytorch#4546"};
// E22
constexpr Pattern k_e22[] = {{{"libcudart.so.", ": cannot open shared object file"}, 8}};
constexpr Command k_e22_fix[] = {
    {"see which CUDA runtime is installed and install that of the major version that the program was built with",
     "ldconfig -p | grep libcudart; python -m pip list | grep -i cuda-runtime"},
    {"or use a build for the CUDA that is there", "torchkiln resolve --this-host"}};
constexpr Texts k_e22_seen[] = {"ollama/ollama#602"};

constexpr KnownError k_errors[] = {
    {"E01", "the driver is too old for the program's CUDA, or the container has no GPU",
     "CUDA error 35: the libcuda that was found is older than the CUDA runtime needs. In a container it also comes "
     "when no GPU was passed in.",
     Weight::symptom, k_e01, k_e01_fix, k_e01_seen},
    {"E02", "the build has no kernels for this GPU",
     "CUDA error 209: the wheel has neither machine code for the GPU's compute capability nor PTX that the driver "
     "could compile for it. Each CUDA variant of PyTorch has a list of its own.",
     Weight::cause, k_e02, k_e02_fix, k_e02_seen},
    {"E03", "a cuda-compat library is used on a GPU that does not allow it",
     "CUDA error 804: the libcuda of a cuda-compat package was loaded, which works on data-center GPUs only; or "
     "libcuda and the kernel module are of different drivers.",
     Weight::cause, k_e03, k_e03_fix, k_e03_seen},
    {"E04", "no NVIDIA driver is visible",
     "The program runs in a container that was started without the GPUs, or on a machine without a driver.",
     Weight::cause, k_e04, k_e04_fix, k_e04_seen},
    {"E05", "the driver's library libcuda.so.1 is not there",
     "The container was started without the GPUs, or NVIDIA_DRIVER_CAPABILITIES lacks `compute`, or CUDA is called "
     "while an image is built.",
     Weight::cause, k_e05, k_e05_fix, k_e05_seen},
    {"E06", "the container runtime refuses the image: its NVIDIA_REQUIRE_* is not met",
     "The image states what it needs of driver or GPU, and the driver says that it does not have it.",
     Weight::cause, k_e06, k_e06_fix, k_e06_seen},
    {"E07", "the container engine knows no NVIDIA runtime",
     "nvidia-container-toolkit is not installed on the host, or not registered with the engine.", Weight::cause,
     k_e07, k_e07_fix, k_e07_seen},
    {"E08", "kernel module and libraries are of different drivers",
     "The driver was updated while its old kernel module stayed loaded.", Weight::cause, k_e08, k_e08_fix,
     k_e08_seen},
    {"E09", "the container lost its GPUs",
     "After `systemctl daemon-reload` and the like, systemd sets the device rules of the container's cgroup anew "
     "and "
     "does not know of the GPUs that the runtime had put in.",
     Weight::symptom, k_e09, k_e09_fix, k_e09_seen},
    {"E10", "libcuda and kernel module do not go together",
     "CUDA error 803: another libcuda than the kernel module's is found first, often that of a cuda-compat package "
     "or "
     "of an older driver.",
     Weight::cause, k_e10, k_e10_fix, k_e10_seen},
    {"E11", "the GPUs are not initialised: the fabric manager is missing",
     "CUDA error 802: on hosts with NVSwitch (HGX, DGX) CUDA starts only when the fabric manager of the driver's "
     "version runs.",
     Weight::symptom, k_e11, k_e11_fix, k_e11_seen},
    {"E12", "there is no C compiler for Triton",
     "torch.compile and Triton build small host programs; a runtime image has no compiler.", Weight::cause, k_e12,
     k_e12_fix, k_e12_seen},
    {"E13", "Triton's ptxas is older than the GPU",
     "Triton brings an assembler of its own, which does not know this GPU's architecture yet.", Weight::cause,
     k_e13, k_e13_fix, k_e13_seen},
    {"E14", "another NCCL than torch's is loaded first",
     "An older libnccl is found before the one that torch was built with: a second package, wheels of two CUDA "
     "major "
     "versions, or a system library.",
     Weight::cause, k_e14, k_e14_fix, k_e14_seen},
    {"E15", "a system CUDA hides the wheel's libnvJitLink",
     "LD_LIBRARY_PATH or the system leads to an older libnvJitLink than the wheel's libcusparse needs.",
     Weight::cause, k_e15, k_e15_fix, k_e15_seen},
    {"E16", "another cuDNN than torch's is loaded",
     "LD_LIBRARY_PATH leads to an older cuDNN than the one that torch was built with.", Weight::cause, k_e16,
     k_e16_fix, k_e16_seen},
    {"E17", "parts of cuDNN are missing or of another major version",
     "cuDNN loads its sub-libraries by name; two major versions beside each other, or an incomplete one, break "
     "that.",
     Weight::cause, k_e17, k_e17_fix, k_e17_seen},
    {"E18", "cuDNN could not start",
     "Usually the GPU's memory is full; else cuDNN, driver and GPU do not go together.", Weight::symptom, k_e18,
     k_e18_fix, k_e18_seen},
    {"E19", "the workers of the DataLoader ran out of shared memory",
     "A container has 64 MB of /dev/shm unless told otherwise, and workers pass their batches through it.",
     Weight::cause, k_e19, k_e19_fix, k_e19_seen},
    {"E20", "NCCL could not get shared memory",
     "Ranks on one machine talk through /dev/shm, of which a container has 64 MB unless told otherwise. `unhandled "
     "system error` alone has other causes too, such as the network or rights on /dev/shm.",
     Weight::symptom, k_e20, k_e20_fix, k_e20_seen},
    {"E21", "the driver is older than the CUDA of this PyTorch",
     "torch asked the driver for its CUDA version and found it too old.", Weight::cause, k_e21, k_e21_fix,
     k_e21_seen},
    {"E22", "the CUDA runtime library is not there",
     "The program was built for another CUDA major version than the one that is installed, or none is on the "
     "library "
     "path.",
     Weight::cause, k_e22, k_e22_fix, k_e22_seen},
};

}  // namespace

std::span<const KnownError> known_errors() {
  return k_errors;
}

}  // namespace torchkiln::diagnosis
