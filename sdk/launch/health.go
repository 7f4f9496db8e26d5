package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/process"

	"github.com/roomwire/roomwire/sdk/fault"
)

// PID returns the process id.
func (p *Process) PID() int { return p.process.id() }

// Exited is closed when the process has ended, for whatever reason.
func (p *Process) Exited() <-chan struct{} { return p.conn.Exited.Done() }

// ExitErr says how the process ended, such as "exit status 2"; nil for a proper end, and before Exited is closed.
func (p *Process) ExitErr() error {
	select {
	case <-p.process.waited:
		return p.process.err
	default:
		return nil
	}
}

// LastWords returns what the process wrote to its log last, without secrets and briefly: where it panicked the panic's
// first line. It says more than ExitErr of why a process ended.
func (p *Process) LastWords() string { return p.log.LastWords() }

// LogDropped returns how many lines of the plugin's log were dropped because it wrote more than 200 a second for long.
func (p *Process) LogDropped() int64 { return p.log.Dropped() }

// Ping asks the process what it is, which costs it nothing. An error says that it does not answer: fault.Unavailable when
// it has ended, that of ctx when it said nothing in time. A process that is being stopped still answers.
func (p *Process) Ping(ctx context.Context) error {
	_, err := p.conn.Describe(ctx)
	return err
}

// Usage is what a process uses of the machine.
type Usage struct {
	Memory int64         // resident, in bytes
	CPU    time.Duration // used since it was started, by the process itself and by the system for it
}

// Usage asks the system what the process uses; fault.Unavailable when it has ended.
func (p *Process) Usage() (Usage, error) {
	proc := gopsutil.Process{Pid: int32(p.process.id())}
	memory, err := proc.MemoryInfo()
	if err != nil {
		return Usage{}, p.unknown(err)
	}
	times, err := proc.Times()
	if err != nil {
		return Usage{}, p.unknown(err)
	}
	// The process is waited for when it has ended, and only then can its id be given to another one.
	select {
	case <-p.process.ended:
		return Usage{}, p.unknown(errors.New("it has ended"))
	default:
	}
	return Usage{Memory: int64(memory.RSS), CPU: time.Duration((times.User + times.System) * float64(time.Second))}, nil
}

func (p *Process) unknown(err error) error {
	return fmt.Errorf("asking what the plugin %s uses: %w: %w", p.about.Name, err, fault.Unavailable)
}

// Stop admits no more calls, waits for those under way until ctx ends, and ends the process; one that does not end within
// seconds is killed. An error says that calls were cut off.
func (p *Process) Stop(ctx context.Context) error {
	err := p.gate.Close(ctx)
	p.endLife()
	p.clean()
	<-p.Exited()
	if err != nil {
		return fmt.Errorf("calls to the plugin were cut off when it was stopped: %w", err)
	}
	return nil
}

// Kill ends the process at once, whatever it does, and returns when it has ended. Calls under way are fault.Unavailable.
// It is for a process that hangs; Stop is for all others.
func (p *Process) Kill() {
	none, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.gate.Close(none) // admits no more; what is under way ends with the process
	_ = p.process.Kill(context.Background())
	p.endLife()
	p.clean()
	<-p.Exited()
}
