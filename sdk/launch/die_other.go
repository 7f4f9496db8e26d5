//go:build !linux

package launch

import "os/exec"

// dieWithParent does nothing here: the lifeline alone ends the plugin when the host dies.
func dieWithParent(*exec.Cmd) {}
