//go:build !windows

package main

import (
	"os"
	"syscall"
)

// freeze stops the process, all of its threads at once.
func (b *bad) freeze() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		panic(err)
	}
	hang() // the signal is on its way
}
