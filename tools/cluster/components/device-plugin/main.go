// A device plugin with devices that are none: `device-plugin RESOURCE COUNT`. Kubelet hands them out as it would hand out GPUs,
// and a container learns by NVIDIA_VISIBLE_DEVICES which it has. It shows how pods are placed, and nothing about CUDA.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const socket = "praxiscope-stand-in.sock"

type server struct {
	plugin.UnimplementedDevicePluginServer
	count int
}

func (server) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

// ListAndWatch says once what there is; it never changes.
func (s server) ListAndWatch(_ *plugin.Empty, stream grpc.ServerStreamingServer[plugin.ListAndWatchResponse]) error {
	answer := &plugin.ListAndWatchResponse{}
	for i := range s.count {
		answer.Devices = append(answer.Devices, &plugin.Device{ID: fmt.Sprintf("stand-in-%d", i), Health: plugin.Healthy})
	}
	if err := stream.Send(answer); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (server) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	answer := &plugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		variables := map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")}
		answer.ContainerResponses = append(answer.ContainerResponses, &plugin.ContainerAllocateResponse{Envs: variables})
	}
	return answer, nil
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: device-plugin RESOURCE COUNT")
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatalf("%q is no count", os.Args[2])
	}
	if err := run(os.Args[1], count); err != nil {
		log.Fatal(err)
	}
}

func run(resource string, count int) error {
	path := filepath.Join(plugin.DevicePluginPath, socket)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	own := grpc.NewServer()
	plugin.RegisterDevicePluginServer(own, server{count: count})
	failed := make(chan error, 1)
	go func() { failed <- own.Serve(listener) }()
	connection, err := grpc.NewClient("unix://"+plugin.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	request := &plugin.RegisterRequest{Version: plugin.Version, Endpoint: socket, ResourceName: resource}
	if _, err := plugin.NewRegistrationClient(connection).Register(context.Background(), request); err != nil {
		return err
	}
	log.Printf("%d devices of %s", count, resource)
	return <-failed
}
