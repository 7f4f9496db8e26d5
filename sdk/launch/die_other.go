//go:build !linux && !windows

package launch

import (
	"os"
	"os/exec"
)

// dieWithParent does nothing here: the lifeline alone ends the plugin when the host dies.
func dieWithParent(*exec.Cmd) {}

// dieWithHost does nothing here.
func dieWithHost(*os.Process) error { return nil }
