// Triton's `onnxruntime` backend for the processor. The server's wheel brings none, and NVIDIA's own is in no package registry; a repository of models is laid out
// for either. It reads VERSION/model.onnx, whose inputs and outputs have the names in config.pbtxt. All instances of a version share its weights.
//
// Parameters in config.pbtxt (NVIDIA's backend knows the first and passes over the others):
//     intra_op_thread_count   Threads an inference; 1 where nothing is said.
//     max_items               Largest first dimension of an input.
//     side_multiple           Second and third dimension of an input must be multiples of this.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net.hpp"
#include "triton_api.hpp"

namespace {

using praxiscope::ElementType;
using praxiscope::InputTensor;
using praxiscope::Net;
using praxiscope::NetError;
using praxiscope::OutputTensor;
using praxiscope::Runtime;

// What somebody asked for in a wrong way.
class BadRequest : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

void check(TRITONSERVER_Error* error) {
  if (error == nullptr) return;
  const std::string message = TRITONSERVER_ErrorMessage(error);
  TRITONSERVER_ErrorDelete(error);
  throw std::runtime_error(message);
}

// Runs something; whatever it throws becomes an error of the server's.
template <typename Work>
TRITONSERVER_Error* caught(Work&& work) noexcept {
  try {
    work();
    return nullptr;
  } catch (const BadRequest& error) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INVALID_ARG, error.what());
  } catch (const std::exception& error) {
    return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, error.what());
  }
}

std::uint64_t now_ns() {
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

std::string read_config(TRITONBACKEND_Model* model) {
  TRITONSERVER_Message* message = nullptr;
  check(TRITONBACKEND_ModelConfig(model, 1, &message));
  const std::unique_ptr<TRITONSERVER_Message, void (*)(TRITONSERVER_Message*)> owner(
      message, [](TRITONSERVER_Message* gone) { TRITONSERVER_ErrorDelete(TRITONSERVER_MessageDelete(gone)); });
  const char* text = nullptr;
  std::size_t size = 0;
  check(TRITONSERVER_MessageSerializeToJson(message, &text, &size));
  return {text, size};
}

// A number among the parameters of a configuration. The server writes its JSON without spaces, and inside a string quotes are escaped, so what is looked for
// stands nowhere else.
std::int64_t read_parameter(const std::string& config, const std::string& key, std::int64_t otherwise) {
  const std::string before = '"' + key + R"(":{"string_value":")";
  const std::size_t start = config.find(before);
  if (start == std::string::npos) return otherwise;
  const char* first = config.data() + start + before.size();
  const char* last = std::find(first, config.data() + config.size(), '"');
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(first, last, value);
  if (error != std::errc() || end != last || value < 1) {
    throw BadRequest("the parameter " + key + " must be a whole number from 1 on, but is " + std::string(first, last));
  }
  return value;
}

ElementType element_type(TRITONSERVER_DataType type) {
  switch (type) {
    case TRITONSERVER_TYPE_UINT8:
      return ElementType::kUint8;
    case TRITONSERVER_TYPE_INT32:
      return ElementType::kInt32;
    case TRITONSERVER_TYPE_INT64:
      return ElementType::kInt64;
    case TRITONSERVER_TYPE_FP32:
      return ElementType::kFloat32;
  }
  throw BadRequest("inputs are UINT8, INT32, INT64 or FP32; this one is none of them");
}

TRITONSERVER_DataType data_type(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return TRITONSERVER_TYPE_UINT8;
    case ElementType::kInt32:
      return TRITONSERVER_TYPE_INT32;
    case ElementType::kInt64:
      return TRITONSERVER_TYPE_INT64;
    case ElementType::kFloat32:
      return TRITONSERVER_TYPE_FP32;
  }
  throw NetError("an output has values of a type that Triton is not told of here");
}

// One version of a model.
class Version {
 public:
  Version(const Runtime& runtime, const std::string& path, const std::string& config)
      : max_items_(read_parameter(config, "max_items", 0)),
        side_multiple_(read_parameter(config, "side_multiple", 1)),
        net_(runtime, path, static_cast<int>(read_parameter(config, "intra_op_thread_count", 1))) {
    const auto require = [&](const std::vector<std::string>& names) {
      for (const std::string& name : names) {
        if (config.find("\"name\":\"" + name + '"') == std::string::npos) {
          throw BadRequest(path + " has a tensor " + name + " that config.pbtxt does not name");
        }
      }
    };
    require(net_.input_names());
    require(net_.output_names());
  }

  // Answers one request, and says when the net began and ended.
  void answer(TRITONBACKEND_Request* request, std::uint64_t& compute_start_ns, std::uint64_t& compute_end_ns) const {
    std::vector<std::vector<char>> joined;
    const std::vector<InputTensor> inputs = read_inputs(request, joined);
    const std::vector<const char*> names = read_output_names(request);
    compute_start_ns = now_ns();
    const std::vector<OutputTensor> outputs = net_.run(inputs, names);
    compute_end_ns = now_ns();
    TRITONBACKEND_Response* response = nullptr;
    check(TRITONBACKEND_ResponseNew(&response, request));
    std::unique_ptr<TRITONBACKEND_Response, void (*)(TRITONBACKEND_Response*)> owner(
        response, [](TRITONBACKEND_Response* gone) { TRITONSERVER_ErrorDelete(TRITONBACKEND_ResponseDelete(gone)); });
    for (std::size_t i = 0; i < outputs.size(); ++i) write_output(response, names[i], outputs[i]);
    // From here on it is the server's; where it cannot be sent there is nobody left to be told.
    TRITONSERVER_ErrorDelete(TRITONBACKEND_ResponseSend(owner.release(), kResponseIsFinal, nullptr));
  }

 private:
  std::vector<InputTensor> read_inputs(TRITONBACKEND_Request* request, std::vector<std::vector<char>>& joined) const {
    std::uint32_t count = 0;
    check(TRITONBACKEND_RequestInputCount(request, &count));
    std::vector<InputTensor> inputs;
    for (std::uint32_t i = 0; i < count; ++i) {
      TRITONBACKEND_Input* input = nullptr;
      check(TRITONBACKEND_RequestInputByIndex(request, i, &input));
      const char* name = nullptr;
      TRITONSERVER_DataType type{};
      const std::int64_t* shape = nullptr;
      std::uint32_t dimension_count = 0;
      std::uint64_t size_bytes = 0;
      std::uint32_t buffer_count = 0;
      check(TRITONBACKEND_InputProperties(
          input, &name, &type, &shape, &dimension_count, &size_bytes, &buffer_count));
      check_shape(name, shape, dimension_count);
      const void* content = read_content(input, buffer_count, size_bytes, joined);
      inputs.push_back({name, element_type(type), shape, dimension_count, content, size_bytes});
    }
    return inputs;
  }

  // What a request holds as one piece; pieces are put together in `joined`.
  static const void* read_content(
      TRITONBACKEND_Input* input, std::uint32_t buffer_count, std::uint64_t size_bytes,
      std::vector<std::vector<char>>& joined) {
    const auto piece = [&](std::uint32_t i, std::uint64_t& piece_bytes) {
      const void* content = nullptr;
      TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
      std::int64_t memory_id = 0;
      check(TRITONBACKEND_InputBuffer(input, i, &content, &piece_bytes, &memory, &memory_id));
      if (memory != TRITONSERVER_MEMORY_CPU && memory != TRITONSERVER_MEMORY_CPU_PINNED) {
        throw BadRequest("an input lies on a graphics card; this backend is for the processor");
      }
      return content;
    };
    std::uint64_t piece_bytes = 0;
    if (buffer_count == 1) return piece(0, piece_bytes);
    std::vector<char>& whole = joined.emplace_back();
    whole.reserve(size_bytes);
    for (std::uint32_t i = 0; i < buffer_count; ++i) {
      const char* content = static_cast<const char*>(piece(i, piece_bytes));
      whole.insert(whole.end(), content, content + piece_bytes);
    }
    return whole.data();
  }

  void check_shape(const char* name, const std::int64_t* shape, std::uint32_t dimension_count) const {
    const auto say = [&](std::string_view what, std::int64_t is) {
      throw BadRequest(std::string(name) + ": " + std::string(what) + ", but is " + std::to_string(is));
    };
    if (max_items_ > 0 && dimension_count > 0 && (shape[0] < 1 || shape[0] > max_items_)) {
      say("the first dimension must be from 1 to " + std::to_string(max_items_), shape[0]);
    }
    for (std::uint32_t i = 1; side_multiple_ > 1 && i <= 2 && i < dimension_count; ++i) {
      if (shape[i] < 1 || shape[i] % side_multiple_ != 0) {
        say("height and width must be multiples of " + std::to_string(side_multiple_), shape[i]);
      }
    }
  }

  std::vector<const char*> read_output_names(TRITONBACKEND_Request* request) const {
    std::uint32_t count = 0;
    check(TRITONBACKEND_RequestOutputCount(request, &count));
    std::vector<const char*> names(count);
    for (std::uint32_t i = 0; i < count; ++i) check(TRITONBACKEND_RequestOutputName(request, i, &names[i]));
    return names;
  }

  static void write_output(TRITONBACKEND_Response* response, const char* name, const OutputTensor& tensor) {
    TRITONBACKEND_Output* output = nullptr;
    check(TRITONBACKEND_ResponseOutput(
        response, &output, name, data_type(tensor.type), tensor.shape.data(),
        static_cast<std::uint32_t>(tensor.shape.size())));
    void* place = nullptr;
    TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
    std::int64_t memory_id = 0;
    check(TRITONBACKEND_OutputBuffer(output, &place, tensor.size_bytes, &memory, &memory_id));
    if (memory != TRITONSERVER_MEMORY_CPU && memory != TRITONSERVER_MEMORY_CPU_PINNED) {
      throw BadRequest("an output is wanted on a graphics card; this backend is for the processor");
    }
    std::memcpy(place, tensor.content, tensor.size_bytes);
  }

  std::int64_t max_items_;
  std::int64_t side_multiple_;
  Net net_;
};

template <typename State, typename Holder>
State& state_of(TRITONSERVER_Error* (*read)(Holder*, void**), Holder* holder) {
  void* state = nullptr;
  check(read(holder, &state));
  return *static_cast<State*>(state);
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONBACKEND_Initialize(TRITONBACKEND_Backend* backend) {
  return caught([&] {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    check(TRITONBACKEND_ApiVersion(&major, &minor));
    if (major != 1) throw std::runtime_error("this backend is for version 1 of the server's interface");
    auto runtime = std::make_unique<Runtime>();
    check(TRITONBACKEND_BackendSetState(backend, runtime.get()));
    runtime.release();
  });
}

TRITONSERVER_Error* TRITONBACKEND_Finalize(TRITONBACKEND_Backend* backend) {
  return caught([&] { delete &state_of<Runtime>(TRITONBACKEND_BackendState, backend); });
}

TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* model) {
  return caught([&] {
    TRITONBACKEND_Backend* backend = nullptr;
    check(TRITONBACKEND_ModelBackend(model, &backend));
    TRITONBACKEND_ArtifactType type{};
    const char* folder = nullptr;
    check(TRITONBACKEND_ModelRepository(model, &type, &folder));
    if (type != TRITONBACKEND_ARTIFACT_FILESYSTEM) throw BadRequest("models must lie in a folder");
    std::uint64_t number = 0;
    check(TRITONBACKEND_ModelVersion(model, &number));
    const std::string path = std::string(folder) + '/' + std::to_string(number) + "/model.onnx";
    auto version = std::make_unique<Version>(
        state_of<Runtime>(TRITONBACKEND_BackendState, backend), path, read_config(model));
    check(TRITONBACKEND_ModelSetState(model, version.get()));
    version.release();
  });
}

TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* model) {
  return caught([&] { delete &state_of<Version>(TRITONBACKEND_ModelState, model); });
}

// Each request is answered by itself: batching does not help these nets on a processor.
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(
    TRITONBACKEND_ModelInstance* instance, TRITONBACKEND_Request** requests, const std::uint32_t request_count) {
  const Version* version = nullptr;
  TRITONSERVER_Error* error = caught([&] {
    TRITONBACKEND_Model* model = nullptr;
    check(TRITONBACKEND_ModelInstanceModel(instance, &model));
    version = &state_of<Version>(TRITONBACKEND_ModelState, model);
  });
  if (error != nullptr) return error;
  for (std::uint32_t i = 0; i < request_count; ++i) {
    const std::uint64_t start_ns = now_ns();
    std::uint64_t compute_start_ns = start_ns;
    std::uint64_t compute_end_ns = start_ns;
    TRITONSERVER_Error* failure = caught([&] { version->answer(requests[i], compute_start_ns, compute_end_ns); });
    const bool is_answered = failure == nullptr;
    if (!is_answered) {
      TRITONBACKEND_Response* response = nullptr;
      TRITONSERVER_ErrorDelete(TRITONBACKEND_ResponseNew(&response, requests[i]));
      if (response != nullptr) TRITONSERVER_ErrorDelete(TRITONBACKEND_ResponseSend(response, kResponseIsFinal, failure));
      TRITONSERVER_ErrorDelete(failure);
    }
    const std::uint64_t end_ns = now_ns();
    TRITONSERVER_ErrorDelete(TRITONBACKEND_ModelInstanceReportStatistics(
        instance, requests[i], is_answered, start_ns, compute_start_ns, std::max(compute_start_ns, compute_end_ns), end_ns));
    if (is_answered) {
      TRITONSERVER_ErrorDelete(TRITONBACKEND_ModelInstanceReportBatchStatistics(
          instance, 1, start_ns, compute_start_ns, compute_end_ns, end_ns));
    }
    TRITONSERVER_ErrorDelete(TRITONBACKEND_RequestRelease(requests[i], kReleaseAll));
  }
  return nullptr;
}

}  // extern "C"
