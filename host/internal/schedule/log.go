package schedule

import (
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// logHandler lets River, which knows slog, write to the host's log. What is routine to River is of no interest to an
// operator, so its information is our tracing.
type logHandler struct {
	log   hclog.Logger
	group string
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool {
	switch {
	case l >= slog.LevelError:
		return h.log.IsError()
	case l >= slog.LevelWarn:
		return h.log.IsWarn()
	}
	return h.log.IsTrace()
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var pairs []any
	r.Attrs(func(a slog.Attr) bool {
		pairs = append(pairs, h.group+a.Key, a.Value.Resolve().Any())
		return true
	})
	level := hclog.Trace
	switch {
	case r.Level >= slog.LevelError:
		level = hclog.Error
	case r.Level >= slog.LevelWarn:
		level = hclog.Warn
	}
	h.log.Log(level, r.Message, pairs...)
	return nil
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var pairs []any
	for _, a := range attrs {
		pairs = append(pairs, h.group+a.Key, a.Value.Resolve().Any())
	}
	return &logHandler{log: h.log.With(pairs...), group: h.group}
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{log: h.log, group: h.group + name + "."}
}
