package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// containerSpec is all the first process of a container has to know. It is read
// from descriptor 3; descriptor 4 is the pod's network namespace.
type containerSpec struct {
	Hostname string
	Root     string   // an empty folder that becomes the root
	ReadOnly []string // folders and files of this machine shown at the same place
	Mounts   []mountSpec
	Dirs     []string
	Links    map[string]string
	WorkDir  string
	Env      []string
	Argv     []string
}

type mountSpec struct {
	Source   string
	Target   string
	ReadOnly bool
}

// initMain is process 1 of a container, in new pid, mount and uts namespaces: it
// builds the container's view of the machine and then becomes the command.
func initMain([]string) error {
	runtime.LockOSThread()
	var spec containerSpec
	input := os.NewFile(3, "spec")
	if err := json.NewDecoder(input).Decode(&spec); err != nil {
		return err
	}
	input.Close()
	if err := unix.Setns(4, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	unix.Close(4)
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return err
	}
	if err := spec.buildRoot(); err != nil {
		return err
	}
	if err := os.Chdir(spec.WorkDir); err != nil {
		return err
	}
	os.Clearenv()
	for _, pair := range spec.Env {
		name, value, _ := strings.Cut(pair, "=")
		os.Setenv(name, value)
	}
	program, err := exec.LookPath(spec.Argv[0])
	if err != nil {
		return err
	}
	// The kernel keeps this per thread, and the command takes over this one.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", program, syscall.Exec(program, spec.Argv, spec.Env))
}

func (s *containerSpec) buildRoot() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", s.Root, "tmpfs", 0, "mode=755,size=16m"); err != nil {
		return err
	}
	for _, path := range s.ReadOnly {
		if err := s.show(path); err != nil {
			return err
		}
	}
	for _, dir := range s.Dirs {
		if err := os.MkdirAll(s.in(dir), 0o777); err != nil {
			return err
		}
		_ = os.Chmod(s.in(dir), 0o777)
	}
	if err := s.mountProcAndDevices(); err != nil {
		return err
	}
	for _, m := range s.Mounts {
		if err := s.bind(m.Source, m.Target, m.ReadOnly); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	for at, to := range s.Links {
		if err := os.MkdirAll(filepath.Dir(s.in(at)), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(to, s.in(at)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return s.pivot()
}

func (s *containerSpec) in(path string) string { return filepath.Join(s.Root, path) }

// show binds a path of this machine read-only, or repeats it if it is a link.
func (s *containerSpec) show(path string) error {
	if to, err := os.Readlink(path); err == nil {
		return os.Symlink(to, s.in(path))
	}
	if !exists(path) {
		return nil
	}
	return s.bind(path, path, true)
}

func (s *containerSpec) bind(source, target string, readOnly bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	at := s.in(target)
	if !exists(at) {
		if info.IsDir() {
			err = os.MkdirAll(at, 0o755)
		} else if err = os.MkdirAll(filepath.Dir(at), 0o755); err == nil {
			err = os.WriteFile(at, nil, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if err := unix.Mount(source, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if readOnly {
		return unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	return nil
}

func (s *containerSpec) mountProcAndDevices() error {
	if err := os.MkdirAll(s.in("/proc"), 0o755); err != nil {
		return err
	}
	if err := unix.Mount("proc", s.in("/proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	if err := s.bind("/sys", "/sys", false); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := s.bind("/dev/"+name, "/dev/"+name, false); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm"} {
		if err := os.MkdirAll(s.in(dir), 0o755); err != nil {
			return err
		}
	}
	options := "newinstance,ptmxmode=0666,mode=620"
	if err := unix.Mount("devpts", s.in("/dev/pts"), "devpts", 0, options); err != nil {
		return fmt.Errorf("devpts: %w", err)
	}
	s.Links["/dev/ptmx"] = "pts/ptmx"
	s.Links["/dev/fd"] = "/proc/self/fd"
	s.Links["/dev/stdin"] = "/proc/self/fd/0"
	s.Links["/dev/stdout"] = "/proc/self/fd/1"
	s.Links["/dev/stderr"] = "/proc/self/fd/2"
	return nil
}

func (s *containerSpec) pivot() error {
	old := s.in("/.old")
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(s.Root, old); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/.old", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove("/.old")
}
