package launch

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// A process runs the plugin's executable for go-plugin. It exists beside go-plugin's own runner for three reasons: the
// plugin must not inherit stdin, its log lines are hostile input, and on Linux the process must die with the host.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	stderr io.ReadCloser
	log    hclog.Logger

	logged *io.PipeReader // ends when the whole log has been read
	pid    int

	mayWait func() // lets the goroutine that started the process wait for it
	waited  chan struct{}
	err     error // valid once waited is closed
}

func newProcess(path string, env []string, log hclog.Logger) (*process, error) {
	cmd := exec.Command(path)
	cmd.Env = env
	dieWithParent(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd: cmd, stdout: stdout, stderr: stderr, log: log, waited: make(chan struct{})}, nil
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	started := make(chan error)
	may := make(chan struct{})
	p.mayWait = sync.OnceFunc(func() { close(may) })
	go func() {
		// Linux kills the child when the thread that started it ends, not when the process does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.waited)
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		<-may // the pipes have been read to their end: Wait closes them
		p.err = p.cmd.Wait()
	}()
	if err := <-started; err != nil {
		return err
	}
	p.pid = p.cmd.Process.Pid
	done, w := io.Pipe()
	p.logged = done
	go func() {
		wire.CopyLog(p.stderr, p.log)
		_ = w.Close()
	}()
	return nil
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	p.mayWait()
	<-p.waited
	return p.err
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error {
	if p.pid == 0 {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && err != os.ErrProcessDone {
		return err
	}
	return nil
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr implements runner.Runner. It holds nothing and ends with the log, which CopyLog reads.
func (p *process) Stderr() io.ReadCloser { return p.logged }

// Name implements runner.Runner.
func (p *process) Name() string { return p.cmd.Path }

// ID implements runner.Runner.
func (p *process) ID() string { return strconv.Itoa(p.pid) }

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string {
	return fmt.Sprintf("%s wrote no handshake: it is no plugin of this version, or ended at once (its log may say why)",
		p.cmd.Path)
}

// PluginToHost implements runner.Runner.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
