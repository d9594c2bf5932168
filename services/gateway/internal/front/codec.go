package front

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec of messages that are known
	"google.golang.org/grpc/mem"

	"praxiscope/gateway/internal/proxy"
)

// mixedCodec carries messages that are passed on as they are, and reads those of the gateway's own services.
type mixedCodec struct{}

// Marshal returns a message's bytes.
func (mixedCodec) Marshal(value any) (mem.BufferSlice, error) {
	if raw, isRaw := value.(*proxy.Raw); isRaw {
		return mem.BufferSlice{mem.SliceBuffer(raw.Bytes)}, nil
	}
	return encoding.GetCodecV2("proto").Marshal(value)
}

// Unmarshal reads a message's bytes.
func (mixedCodec) Unmarshal(data mem.BufferSlice, value any) error {
	if raw, isRaw := value.(*proxy.Raw); isRaw {
		raw.Bytes = data.Materialize()
		return nil
	}
	return encoding.GetCodecV2("proto").Unmarshal(data, value)
}

// Name says what the bytes are.
func (mixedCodec) Name() string { return "proto" }
