package launch

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// dieWithParent does nothing here: Windows knows no such attribute, see dieWithHost.
func dieWithParent(*exec.Cmd) {}

// hostsJob is the job that all plugins of this host are in. Nobody closes its handle but the system, when the host has
// ended in whatever way; the system ends every process in it then, and what these have started.
var hostsJob = sync.OnceValues(func() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil) // without a name, and no child inherits its handle
	if err != nil {
		return 0, fmt.Errorf("making a job for the plugins: %w", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
		LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
	}}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, fmt.Errorf("having the plugins' job end with the host: %w", err)
	}
	return job, nil
})

// dieWithHost has the system kill the plugin when the host dies, as a second line behind the lifeline. A host that is
// killed between the plugin's start and this leaves it running for a moment only: the plugin ends itself when nobody
// attaches or its lifeline breaks. That is why it needs not be started suspended.
func dieWithHost(p *os.Process) error {
	job, err := hostsJob()
	if err != nil {
		return err
	}
	var assigned error
	err = p.WithHandle(func(handle uintptr) {
		assigned = windows.AssignProcessToJobObject(job, windows.Handle(handle))
	})
	if err == nil {
		err = assigned
	}
	if err != nil {
		return fmt.Errorf("putting the plugin into the host's job: %w", err)
	}
	return nil
}
