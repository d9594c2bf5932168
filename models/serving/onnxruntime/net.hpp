// A net that ONNX Runtime runs, and nothing of Triton.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace praxiscope {

// Values of a tensor; the numbers are ONNX Runtime's.
enum class ElementType : int { kFloat32 = 1, kUint8 = 2, kInt32 = 6, kInt64 = 7 };

// What the runtime says that went wrong.
class NetError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A tensor whose memory is somebody else's; it is only read.
struct InputTensor {
  const char* name;
  ElementType type;
  const std::int64_t* shape;
  std::size_t dimension_count;
  const void* content;
  std::size_t size_bytes;
};

// A tensor that the runtime made; its memory lasts as long as it does.
struct OutputTensor {
  ElementType type;
  std::vector<std::int64_t> shape;
  const void* content;
  std::size_t size_bytes;
  std::shared_ptr<void> owner;
};

// The runtime itself; one a process, and nets must not outlive it.
class Runtime {
 public:
  // Throws NetError where the library is too old for what is used here.
  Runtime();
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

 private:
  friend class Net;
  struct Functions;
  std::unique_ptr<Functions> functions_;
  void* environment_ = nullptr;
  void* memory_ = nullptr;
};

// A net with its weights. Several threads may run it at once, and share the weights.
class Net {
 public:
  // Reads a file; `thread_count` threads work on one inference. Throws NetError.
  Net(const Runtime& runtime, const std::string& path, int thread_count);
  ~Net();
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  const std::vector<std::string>& input_names() const { return input_names_; }
  const std::vector<std::string>& output_names() const { return output_names_; }

  // The outputs of the given names, in their order. Throws NetError.
  std::vector<OutputTensor> run(
      const std::vector<InputTensor>& inputs, const std::vector<const char*>& output_names) const;

 private:
  OutputTensor describe(void* value) const;

  const Runtime& runtime_;
  void* session_ = nullptr;
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;
};

}  // namespace praxiscope
