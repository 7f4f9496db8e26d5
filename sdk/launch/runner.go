package launch

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// leftOpen is how long what a process wrote is still read when the process has ended but somebody else, a child that it
// left behind, holds its pipes open.
const leftOpen = 2 * time.Second

// A process runs the plugin's executable for go-plugin. It exists beside go-plugin's own runner because what the plugin
// writes is hostile input, the handshake included, because the plugin must not inherit stdin, because its end must be
// noticed whatever it leaves behind, and because the process must die with the host.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	stderr io.ReadCloser
	log    *wire.ProcessLog

	copying sync.WaitGroup // the goroutines that read stdout and stderr
	shaking *io.PipeReader // the handshake line, then nothing until stdout has ended
	logged  *io.PipeReader // nothing; it ends when the whole log has been read

	ended  chan struct{} // closed when the process has ended
	waited chan struct{} // closed when all that it wrote has been read, too
	err    error         // how it ended; valid once waited is closed

	mu     sync.Mutex
	pid    int   // 0 before it was started
	shook  bool  // a proper handshake was read
	wrong  error // what is wrong with what was read instead
	killed bool  // by the host, perhaps before it was started
}

func newProcess(path string, env []string, log *wire.ProcessLog) (*process, error) {
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
	return &process{
		cmd: cmd, stdout: stdout, stderr: stderr, log: log, ended: make(chan struct{}), waited: make(chan struct{}),
	}, nil
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	var shaking, logging *io.PipeWriter
	p.shaking, shaking = io.Pipe()
	p.logged, logging = io.Pipe()
	p.copying.Add(2)
	started := make(chan error)
	go func() {
		// Linux kills the child when the thread that started it ends, not when the process does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.waited)
		err := p.run()
		started <- err
		if err == nil {
			p.err = p.await()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if err := dieWithHost(p.cmd.Process); err != nil {
		p.log.Warn("the system was not told to end the plugin with the host; it ends itself when it notices", "error", err)
	}
	go func() {
		defer p.copying.Done()
		defer shaking.Close()
		p.readStdout(shaking)
	}()
	go func() {
		defer p.copying.Done()
		defer logging.Close()
		p.log.Copy(p.stderr)
	}()
	return nil
}

// run starts the executable unless it was killed before.
func (p *process) run() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return os.ErrProcessDone
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.pid = p.cmd.Process.Pid
	return nil
}

// await returns how the process ended when all that it wrote has been read.
func (p *process) await() error {
	state, err := p.cmd.Process.Wait()
	close(p.ended)
	closePipes := func() {
		_ = p.stdout.Close()
		_ = p.stderr.Close()
	}
	late := time.AfterFunc(leftOpen, closePipes)
	p.copying.Wait()
	late.Stop()
	closePipes()
	if err == nil && !state.Success() {
		err = &exec.ExitError{ProcessState: state}
	}
	return err
}

// readStdout hands the handshake to go-plugin. Whatever else comes is log: go-plugin would stop reading at a long line,
// and the plugin would hang.
func (p *process) readStdout(to io.Writer) {
	stdout := bufio.NewReaderSize(p.stdout, maxHandshake)
	line, err := readHandshake(stdout)
	if err != nil {
		return
	}
	wrong := checkHandshake(line)
	p.mu.Lock()
	p.shook, p.wrong = wrong == nil, wrong
	p.mu.Unlock()
	if wrong != nil {
		line = "" // go-plugin takes it for no handshake and kills the process
	}
	if _, err := io.WriteString(to, line+"\n"); err == nil {
		p.log.Copy(stdout)
	}
}

// handshake reports whether a proper handshake was read, and what was wrong with what was read instead.
func (p *process) handshake() (shook bool, wrong error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shook, p.wrong
}

// status says how the process ended.
func (p *process) status() string {
	<-p.waited
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	<-p.waited
	return p.err
}

// Kill implements runner.Runner. A process that was not started yet will not be.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	if p.pid == 0 {
		return nil
	}
	if err := p.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// id returns the process id, 0 before there is one.
func (p *process) id() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Stdout implements runner.Runner. It holds the handshake alone.
func (p *process) Stdout() io.ReadCloser { return p.shaking }

// Stderr implements runner.Runner. It holds nothing and ends with the log, which a ProcessLog reads.
func (p *process) Stderr() io.ReadCloser { return p.logged }

// Name implements runner.Runner.
func (p *process) Name() string { return p.cmd.Path }

// ID implements runner.Runner.
func (p *process) ID() string { return strconv.Itoa(p.id()) }

// Diagnose implements runner.Runner. Why a start failed is told by Start itself.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
