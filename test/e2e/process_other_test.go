//go:build !linux

package e2e

import "syscall"

func dieWithTest() *syscall.SysProcAttr { return nil }

// seesProcesses: only on Linux do these tests know how to find a plugin's process.
const seesProcesses = false

func (s *site) pluginProcesses(string) []int { return nil }
