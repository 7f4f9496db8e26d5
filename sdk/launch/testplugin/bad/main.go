// Command bad is a backend plugin that misbehaves on command, for tests of what must withstand bad plugins. Left alone it
// behaves well: Probe answers "bad backend", Pull one empty page that is full and last, with Next "1", Fetch "not found" of
// each reference, and Apply gives the item back with the key as its reference.
//
// What happens at its start is told by a file beside the executable, named like it with ".behave" added; without one it
// behaves well. A test gives each of its plugins a folder and a hard link to the binary of its own. (A binary with a few
// bytes appended runs as well, and has another checksum.) Each line is a word, most with an argument:
//
//	exit 3              write to stderr and exit with that status, before the handshake
//	hang                never shake hands
//	wire 2              shake hands in that version of the wire
//	print               write a line to stdout before the handshake
//	print-after         write a very long line and garbage to stdout after it
//	mute                shake hands and answer no call at all, not even Describe
//	crash 20ms          exit with status 4 that long after the host has attached
//	panic 20ms          panic that long after the host has attached
//	child ADDRESS       start a child that holds stdout, stderr and a TCP connection to ADDRESS, before the handshake
//	outlive             neither end when the host has gone nor when it asks for the end
//	grow 300            use that many MiB of memory, slowly, from the start
//	flood 100000        write that many lines to the log when the host has attached
//	claim pusher        say of every instance that it is one (pusher, finder or watcher, with commas), and serve none
//	name N, version V   describe itself as that; it is "bad", "1.0.0"
//
// What happens in a call is told by words joined with "+", those of the setting "misbehave" and then those before the @ of
// the mailbox's address; what is no word is none. A word with the prefix "open:", in the setting, is for Open instead:
//
//	hang                do not return, whatever becomes of the context
//	freeze              stop the whole process, as SIGSTOP does (mute where there are no signals)
//	mute                answer neither this call nor any other from now on, not even Describe
//	hold                connect to the mailbox's URL by TCP and keep the connection until the process ends
//	grow=300            use that many MiB of memory, slowly, and go on
//	flood=100000        write that many lines to the log, and go on
//	leak                write the setting "token" to the log and stderr in many forms, and return it in an error
//	print               write a very long line and garbage to stdout, and go on
//	panic, exit=3       end the call, or the process, like that
//	crash               end the process by a panic that nobody recovers
//	short               answer Fetch with one result too few
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// childOf tells a child of the plugin what it is, and where to connect to.
const childOf = "BAD_PLUGIN_CHILD"

// A bad is the process as it was told to behave.
type bad struct {
	told   map[string]string // by word, its argument
	stdout *os.File          // the real ones, which go-plugin takes away
	stderr *os.File
	log    hclog.Logger
	mute   mute
}

func main() {
	if address := os.Getenv(childOf); address != "" {
		beChild(address)
	}
	b := &bad{told: read(), stdout: os.Stdout, stderr: os.Stderr, log: wire.PluginLogger(os.Stderr, os.Getenv(wire.LogLevelVariable))}
	b.beforeHandshake()
	b.serve()
	b.ended()
}

// read returns what the file beside the executable says.
func read() map[string]string {
	told := map[string]string{}
	path, err := os.Executable()
	if err != nil {
		return told
	}
	text, err := os.ReadFile(path + ".behave")
	if err != nil {
		return told
	}
	for line := range strings.Lines(string(text)) {
		word, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
		told[word] = argument
	}
	return told
}

func (b *bad) is(word string) bool {
	_, is := b.told[word]
	return is
}

func (b *bad) beforeHandshake() {
	if address := b.told["child"]; address != "" {
		startChild(address)
	}
	if b.is("grow") {
		go grow(number(b.told["grow"]))
	}
	if b.is("exit") {
		fmt.Fprintln(os.Stderr, "bad: exiting as told")
		os.Exit(number(b.told["exit"]))
	}
	if b.is("hang") {
		fmt.Fprintln(os.Stderr, "bad: hanging as told")
		hang()
	}
	if b.is("print") {
		fmt.Println("bad plugin is starting")
	}
	if b.is("mute") {
		b.mute.begin()
	}
}

// attached is called when the host has attached.
func (b *bad) attached() {
	if b.is("print-after") {
		b.print()
	}
	if b.is("flood") {
		go b.flood(number(b.told["flood"]))
	}
	if b.is("crash") {
		time.AfterFunc(duration(b.told["crash"]), func() {
			fmt.Fprintln(b.stderr, "bad: crashing as told")
			os.Exit(4)
		})
	}
	if b.is("panic") {
		time.AfterFunc(duration(b.told["panic"]), func() { panic("bad: panicking as told") })
	}
}

// ended is called when the host has gone, or asks for the end.
func (b *bad) ended() {
	if b.is("outlive") {
		hang()
	}
	os.Exit(0)
}

// serve is what package serve does, as far as it goes.
func (b *bad) serve() {
	version := 1
	if b.is("wire") {
		version = number(b.told["wire"])
	}
	served := &wire.ServerPlugin{Register: func(broker *plugin.GRPCBroker, g *grpc.Server) error {
		b.register(broker, g)
		return nil
	}}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		Logger:           hclog.NewNullLogger(),
		VersionedPlugins: map[int]plugin.PluginSet{version: {wire.PluginName: served}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			options = append(options, grpc.ChainUnaryInterceptor(b.mute.unary), grpc.ChainStreamInterceptor(b.mute.stream))
			return grpc.NewServer(append(options, wire.ServerOptions(b.log)...)...)
		},
	})
}

// startChild starts a process that outlives this one.
func startChild(address string) {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	c := exec.Command(path)
	c.Env = append(os.Environ(), childOf+"="+address)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		panic(err)
	}
}

// beChild holds what it inherited until the connection ends.
func beChild(address string) {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_, _ = conn.Read(make([]byte, 1))
	}
	os.Exit(0)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(fmt.Sprintf("%q is no number", s))
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(fmt.Sprintf("%q is no duration", s))
	}
	return d
}
