package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// command runs beside a container's process, with its view of the machine.
func (c *container) command(ctx context.Context, argv []string) (*exec.Cmd, error) {
	pid := c.pid()
	if pid == 0 {
		return nil, fmt.Errorf("container %s is not running", c.spec.Name)
	}
	args := []string{"--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, argv...)...)
	cmd.Env = c.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	return cmd, nil
}

func (c *container) exec(ctx context.Context, argv []string, in io.Reader, out, errOut io.Writer) (int, error) {
	cmd, err := c.command(ctx, argv)
	if err != nil {
		return 0, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errOut
	return exitCode(cmd.Run())
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// ExecInContainer answers kubectl exec.
func (n *runner) ExecInContainer(ctx context.Context, podName, podUID, name string, argv []string,
	in io.Reader, out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize,
	_ time.Duration) error {
	s := n.find(types.UID(podUID))
	if s == nil {
		return fmt.Errorf("pod %s is played by the rig: there is no process to join", podName)
	}
	c := s.container(name)
	if c == nil {
		return fmt.Errorf("container not found (%q)", name)
	}
	cmd, err := c.command(ctx, argv)
	if err != nil {
		return err
	}
	var code int
	if tty {
		code, err = runTerminal(cmd, c.pid(), in, out, resize)
	} else {
		code, err = runPlain(cmd, in, out, errOut)
	}
	if err == nil && code != 0 {
		err = utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return err
}

// runPlain does not wait for the client's input to end when the command has.
func runPlain(cmd *exec.Cmd, in io.Reader, out, errOut io.WriteCloser) (int, error) {
	if out != nil {
		cmd.Stdout = out
	}
	if errOut != nil {
		cmd.Stderr = errOut
	}
	if in != nil {
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return 0, err
		}
		go func() {
			_, _ = io.Copy(pipe, in)
			pipe.Close()
		}()
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return exitCode(cmd.Wait())
}

func runTerminal(cmd *exec.Cmd, pid int, in io.Reader, out io.Writer,
	resize <-chan remotecommand.TerminalSize) (int, error) {
	master, slave, err := openTerminal(pid)
	if err != nil {
		return 0, err
	}
	defer master.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setctty = true
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return 0, err
	}
	go func() {
		for size := range resize {
			_ = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ,
				&unix.Winsize{Row: size.Height, Col: size.Width})
		}
	}()
	if in != nil {
		go func() { _, _ = io.Copy(master, in) }()
	}
	done := make(chan struct{})
	go func() {
		if out != nil {
			_, _ = io.Copy(out, master)
		}
		close(done)
	}()
	code, err := exitCode(cmd.Wait())
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return code, err
}

// openTerminal takes a terminal of the container's own, which its programs can name.
func openTerminal(pid int) (*os.File, *os.File, error) {
	dev := fmt.Sprintf("/proc/%d/root/dev/pts", pid)
	master, err := os.OpenFile(dev+"/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	var slave *os.File
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("%s/%d", dev, number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}
