// Command gateway is the platform's front door: HTTP/JSON, server-sent events, WebSockets, uploads and downloads, and native gRPC on one port.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"praxiscope/gateway/internal/config"
	"praxiscope/gateway/internal/front"
)

const usageExit = 2

func main() {
	settings, err := config.Read(os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(usageExit)
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, logOptions(settings.LogLevel))).With("service", "gateway"))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := front.Run(ctx, settings); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// logOptions names a line's parts as the Python services do.
func logOptions(level slog.Level) *slog.HandlerOptions {
	names := map[string]string{slog.LevelKey: "severity", slog.MessageKey: "message"}
	return &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if name, found := names[attr.Key]; found && len(groups) == 0 {
			attr.Key = name
		}
		return attr
	}}
}
