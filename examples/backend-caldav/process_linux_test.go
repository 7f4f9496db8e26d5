package main

import "syscall"

// dieWithTest has a process end with this one, however this one ends.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
