package front

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"praxiscope/gateway/internal/config"
	"praxiscope/gateway/internal/proxy"
)

const healthTimeout = 2 * time.Second

func alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"ALIVE"}`))
}

// readiness answers 200 when every service says that it serves, and says of each what it says.
func readiness(backends proxy.Backends) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		var mutex sync.Mutex
		var waiting sync.WaitGroup
		found, ready := map[string]string{}, true
		for area := range config.Services {
			conn := backends[area]
			waiting.Go(func() {
				answer := ask(ctx, conn)
				mutex.Lock()
				defer mutex.Unlock()
				found[area] = answer
				ready = ready && answer == healthv1.HealthCheckResponse_SERVING.String()
			})
		}
		waiting.Wait()
		w.Header().Set("Content-Type", "application/json")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": ready, "services": found})
	})
}

func ask(ctx context.Context, conn *grpc.ClientConn) string {
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return "UNREACHABLE"
	}
	return answer.GetStatus().String()
}
