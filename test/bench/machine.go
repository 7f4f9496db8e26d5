package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine says where the figures come from.
func machine() string {
	model := field("/proc/cpuinfo", "model name")
	if model == "" {
		model = runtime.GOARCH
	}
	system := strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`)
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		system += " (Linux " + strings.TrimSpace(string(release)) + ")"
	}
	if system == "" {
		system = runtime.GOOS
	}
	memory := "memory unknown"
	if kb, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		memory = fmt.Sprintf("%.0f GiB memory", float64(kb)/(1<<20))
	}
	return fmt.Sprintf("%d cores (%s), %s, %s, %s.", runtime.NumCPU(), model, memory, system, runtime.Version())
}

// field reads the value of a name in a file of lines "name: value" or "name=value"; empty if it is not there.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return ""
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:2], ", ")
}

// A usage is what processes have used so far: CPU time since their start, and memory now and at most.
type usage struct {
	cpu       time.Duration
	rss, peak int64 // bytes
	anonymous int64 // of rss: in no file, so of this process alone
}

// used adds up what the processes use. Where there is no /proc it is all zero.
func used(pids ...int) usage {
	var sum usage
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d", pid)
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		// The fields after the name, which is in parentheses and may hold spaces: state is the first.
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		const userTime, systemTime, tick = 11, 12, 10 * time.Millisecond
		for _, i := range []int{userTime, systemTime} {
			if n, err := strconv.ParseInt(f[i], 10, 64); err == nil {
				sum.cpu += time.Duration(n) * tick
			}
		}
		sum.rss += kilobytes(dir+"/status", "VmRSS")
		sum.peak += kilobytes(dir+"/status", "VmHWM")
		sum.anonymous += kilobytes(dir+"/status", "RssAnon")
	}
	return sum
}

func kilobytes(path, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(field(path, name), "kB")), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// children lists the processes whose parent is pid.
func children(pid int) []int {
	var list []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(f) > 1 && f[1] == strconv.Itoa(pid) {
			if n, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f ms", float64(d)/1e6)
}
