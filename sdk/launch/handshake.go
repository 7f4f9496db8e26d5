package launch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

const (
	// maxHandshake is the longest line that can be a handshake: it holds a certificate.
	maxHandshake = 16 << 10
	// maxQuoted is how much of a line that is none is repeated.
	maxQuoted = 120
)

// readHandshake reads the first line of what a plugin writes to stdout. It is empty when nothing was written.
func readHandshake(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil
	}
	return strings.TrimSpace(string(line)), err
}

// checkHandshake says in words for an operator what is wrong with a handshake line: core version, version of the wire,
// network, address, protocol, certificate.
func checkHandshake(line string) error {
	parts := strings.Split(line, "|")
	if len(parts) < 4 || !isNumber(parts[0]) || !isNumber(parts[1]) {
		return fmt.Errorf("it wrote %q to its standard output where its handshake was due: it is no plugin, or prints something before it serves: %w",
			strings.ToValidUTF8(line[:min(len(line), maxQuoted)], "\uFFFD"), fault.Unavailable)
	}
	speaks, _ := strconv.Atoi(parts[1])
	ours := slices.Sorted(maps.Keys(wire.Versions(nil)))
	if !slices.Contains(ours, speaks) {
		return fmt.Errorf("it speaks version %d of the wire, this host speaks %s: %s: %w",
			speaks, list(ours), advice(speaks, ours), fault.Invalid)
	}
	if core, _ := strconv.Atoi(parts[0]); core != plugin.CoreProtocolVersion || len(parts) < 6 ||
		parts[4] != string(plugin.ProtocolGRPC) || parts[5] == "" {
		return fmt.Errorf("its handshake is not that of a plugin made for this host (version %d, %d fields): install a build of the plugin made with this host's sdk: %w",
			core, len(parts), fault.Invalid)
	}
	return nil
}

func advice(speaks int, ours []int) string {
	if speaks > ours[len(ours)-1] {
		return "install a build of the plugin made for this host, or a newer host"
	}
	return "install a newer build of the plugin, made for this host"
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

func list(numbers []int) string {
	var all []string
	for _, n := range numbers {
		all = append(all, strconv.Itoa(n))
	}
	return strings.Join(all, ", ")
}
