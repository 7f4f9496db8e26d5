package service

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// runForeground runs the host in a terminal, or under a manager that speaks by signals. Whoever made ctx ends it with the
// first signal; the second one ends the process at once.
func runForeground(ctx context.Context, tell notifySocket, run Main) error {
	undo := context.AfterFunc(ctx, func() {
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		if tell == "" && isTerminal(os.Stderr) {
			fmt.Fprintln(os.Stderr, "Finishing the work under way; Ctrl-C again ends at once, and what is left is repeated at the next start.")
		}
		_ = tell.stopping() // whoever cannot be told sees the process end
	})
	defer undo()
	return run(ctx, tell)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
