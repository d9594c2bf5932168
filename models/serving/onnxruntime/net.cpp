// ONNX Runtime through its C interface: a table of functions to which new ones are only ever added at the end, so that a function's place in it never changes. The
// places below are those of version 17 of the table (ONNX Runtime 1.17), which every later library also gives out; no package registry has the header with its library.
#include "net.hpp"

#include <cstddef>

namespace {

struct OrtApiBase {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

constexpr std::uint32_t kTableVersion = 17;
constexpr int kLogErrors = 3;
constexpr int kArenaAllocator = 1;
constexpr int kDefaultMemory = 0;

}  // namespace

extern "C" const OrtApiBase* OrtGetApiBase();

namespace praxiscope {

// Every handle is a pointer to something opaque; a function that can fail returns a status, null where it did not.
struct Runtime::Functions {
  explicit Functions(const void* const* table)
      : error_message(at<decltype(error_message)>(table, 2)),
        create_environment(at<decltype(create_environment)>(table, 3)),
        create_session(at<decltype(create_session)>(table, 7)),
        run(at<decltype(run)>(table, 9)),
        create_options(at<decltype(create_options)>(table, 10)),
        set_thread_count(at<decltype(set_thread_count)>(table, 24)),
        set_parallel_node_count(at<decltype(set_parallel_node_count)>(table, 25)),
        count_inputs(at<decltype(count_inputs)>(table, 30)),
        count_outputs(at<decltype(count_outputs)>(table, 31)),
        input_name(at<decltype(input_name)>(table, 36)),
        output_name(at<decltype(output_name)>(table, 37)),
        create_tensor(at<decltype(create_tensor)>(table, 49)),
        tensor_content(at<decltype(tensor_content)>(table, 51)),
        element_type(at<decltype(element_type)>(table, 60)),
        count_dimensions(at<decltype(count_dimensions)>(table, 61)),
        dimensions(at<decltype(dimensions)>(table, 62)),
        count_elements(at<decltype(count_elements)>(table, 64)),
        shape_of(at<decltype(shape_of)>(table, 65)),
        create_cpu_memory(at<decltype(create_cpu_memory)>(table, 69)),
        free_with(at<decltype(free_with)>(table, 76)),
        default_allocator(at<decltype(default_allocator)>(table, 78)),
        release_environment(at<Release>(table, 92)),
        release_status(at<Release>(table, 93)),
        release_memory(at<Release>(table, 94)),
        release_session(at<Release>(table, 95)),
        release_value(at<Release>(table, 96)),
        release_shape(at<Release>(table, 99)),
        release_options(at<Release>(table, 100)),
        set_option(at<decltype(set_option)>(table, 130)) {}

  using Status = void*;
  using Release = void (*)(void*);

  const char* (*error_message)(const void* status);
  Status (*create_environment)(int log_level, const char* name, void** environment);
  Status (*create_session)(const void* environment, const char* path, const void* options, void** session);
  Status (*run)(
      void* session, const void* run_options, const char* const* input_names, const void* const* inputs,
      std::size_t input_count, const char* const* output_names, std::size_t output_count, void** outputs);
  Status (*create_options)(void** options);
  Status (*set_thread_count)(void* options, int count);
  Status (*set_parallel_node_count)(void* options, int count);
  Status (*count_inputs)(const void* session, std::size_t* count);
  Status (*count_outputs)(const void* session, std::size_t* count);
  Status (*input_name)(const void* session, std::size_t index, void* allocator, char** name);
  Status (*output_name)(const void* session, std::size_t index, void* allocator, char** name);
  Status (*create_tensor)(
      const void* memory, void* content, std::size_t size_bytes, const std::int64_t* shape, std::size_t dimension_count,
      int element_type, void** value);
  Status (*tensor_content)(void* value, void** content);
  Status (*element_type)(const void* shape, int* type);
  Status (*count_dimensions)(const void* shape, std::size_t* count);
  Status (*dimensions)(const void* shape, std::int64_t* values, std::size_t count);
  Status (*count_elements)(const void* shape, std::size_t* count);
  Status (*shape_of)(const void* value, void** shape);
  Status (*create_cpu_memory)(int allocator_type, int memory_type, void** memory);
  Status (*free_with)(void* allocator, void* memory);
  Status (*default_allocator)(void** allocator);
  Release release_environment;
  Release release_status;
  Release release_memory;
  Release release_session;
  Release release_value;
  Release release_shape;
  Release release_options;
  Status (*set_option)(void* options, const char* key, const char* value);

  void check(Status status) const {
    if (status == nullptr) return;
    const std::string message = error_message(status);
    release_status(status);
    throw NetError(message);
  }

 private:
  template <typename Function>
  static Function at(const void* const* table, std::size_t place) {
    return reinterpret_cast<Function>(const_cast<void*>(table[place]));
  }
};

namespace {

using Owner = std::unique_ptr<void, void (*)(void*)>;

std::size_t size_of(int type) {
  switch (static_cast<ElementType>(type)) {
    case ElementType::kFloat32:
    case ElementType::kInt32:
      return 4;
    case ElementType::kUint8:
      return 1;
    case ElementType::kInt64:
      return 8;
  }
  throw NetError("an output has values of a type that is not known here: " + std::to_string(type));
}

}  // namespace

Runtime::Runtime() {
  const void* const* table = OrtGetApiBase()->get_api(kTableVersion);
  if (table == nullptr) throw NetError("ONNX Runtime is older than 1.17; install a newer one");
  functions_ = std::make_unique<Functions>(table);
  functions_->check(functions_->create_environment(kLogErrors, "praxiscope", &environment_));
  functions_->check(functions_->create_cpu_memory(kArenaAllocator, kDefaultMemory, &memory_));
}

Runtime::~Runtime() {
  if (memory_ != nullptr) functions_->release_memory(memory_);
  if (environment_ != nullptr) functions_->release_environment(environment_);
}

Net::Net(const Runtime& runtime, const std::string& path, int thread_count) : runtime_(runtime) {
  const Runtime::Functions& f = *runtime.functions_;
  void* made = nullptr;
  f.check(f.create_options(&made));
  const Owner options(made, f.release_options);
  f.check(f.set_thread_count(options.get(), thread_count));
  f.check(f.set_parallel_node_count(options.get(), 1));
  // Waiting threads sleep: spinning ones take the core from the decoder and the encoder (14.6 instead of 20.8 frames/s).
  f.check(f.set_option(options.get(), "session.intra_op.allow_spinning", "0"));
  f.check(f.create_session(runtime.environment_, path.c_str(), options.get(), &session_));
  void* allocator = nullptr;
  f.check(f.default_allocator(&allocator));
  const auto read_names = [&](auto count_names, auto read_name, std::vector<std::string>& names) {
    std::size_t count = 0;
    f.check(count_names(session_, &count));
    for (std::size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      f.check(read_name(session_, i, allocator, &name));
      names.emplace_back(name);
      f.check(f.free_with(allocator, name));
    }
  };
  read_names(f.count_inputs, f.input_name, input_names_);
  read_names(f.count_outputs, f.output_name, output_names_);
}

Net::~Net() {
  if (session_ != nullptr) runtime_.functions_->release_session(session_);
}

std::vector<OutputTensor> Net::run(
    const std::vector<InputTensor>& inputs, const std::vector<const char*>& output_names) const {
  const Runtime::Functions& f = *runtime_.functions_;
  std::vector<Owner> owners;
  std::vector<const char*> names;
  std::vector<const void*> values;
  for (const InputTensor& input : inputs) {
    void* value = nullptr;
    f.check(f.create_tensor(
        runtime_.memory_, const_cast<void*>(input.content), input.size_bytes, input.shape, input.dimension_count,
        static_cast<int>(input.type), &value));
    owners.emplace_back(value, f.release_value);
    names.push_back(input.name);
    values.push_back(value);
  }
  std::vector<void*> made(output_names.size(), nullptr);
  f.check(f.run(
      session_, nullptr, names.data(), values.data(), values.size(), output_names.data(), output_names.size(),
      made.data()));
  std::vector<std::shared_ptr<void>> results;
  for (void* value : made) results.emplace_back(value, f.release_value);
  std::vector<OutputTensor> outputs;
  for (std::shared_ptr<void>& result : results) {
    OutputTensor output = describe(result.get());
    output.owner = std::move(result);
    outputs.push_back(std::move(output));
  }
  return outputs;
}

OutputTensor Net::describe(void* value) const {
  const Runtime::Functions& f = *runtime_.functions_;
  void* made = nullptr;
  f.check(f.shape_of(value, &made));
  const Owner shape(made, f.release_shape);
  int type = 0;
  std::size_t dimension_count = 0;
  std::size_t element_count = 0;
  void* content = nullptr;
  f.check(f.element_type(shape.get(), &type));
  f.check(f.count_dimensions(shape.get(), &dimension_count));
  f.check(f.count_elements(shape.get(), &element_count));
  std::vector<std::int64_t> dimensions(dimension_count);
  f.check(f.dimensions(shape.get(), dimensions.data(), dimension_count));
  f.check(f.tensor_content(value, &content));
  return {static_cast<ElementType>(type), std::move(dimensions), content, element_count * size_of(type), nullptr};
}

}  // namespace praxiscope
