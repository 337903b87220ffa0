package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// container is one container of a sandbox.
type container struct {
	sandbox *sandbox
	spec    *corev1.Container
	isInit  bool
	log     string

	mu       sync.Mutex
	cmd      *exec.Cmd
	env      []string
	state    corev1.ContainerState
	last     corev1.ContainerState
	restarts int32
	ready    bool
	oom      bool // the next end is to be told as OOMKilled
}

func newContainer(s *sandbox, spec *corev1.Container, isInit bool) *container {
	c := &container{sandbox: s, spec: spec, isInit: isInit,
		log: filepath.Join(s.rig.dir, "logs", "pods", s.pod.Namespace+"_"+s.pod.Name+"_"+spec.Name+".log")}
	for _, have := range s.pod.Status.ContainerStatuses {
		if !isInit && have.Name == spec.Name {
			c.restarts = have.RestartCount // it may have been played before
		}
	}
	c.setWaiting("ContainerCreating", "")
	if isInit || len(s.pod.Spec.InitContainers) > 0 {
		c.setWaiting("PodInitializing", "")
	}
	return c
}

// set changes what the pod's status says of the container.
func (c *container) set(change func()) {
	c.mu.Lock()
	change()
	c.mu.Unlock()
	c.sandbox.report()
}

func (c *container) setWaiting(reason, message string) {
	c.set(func() {
		if c.state.Terminated != nil {
			c.last = c.state
		}
		c.ready = false
		c.state = corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	})
}

func (c *container) setRunning() {
	c.set(func() {
		c.state = corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	})
}

func (c *container) setTerminated(code int32, signal int32, reason string) {
	c.set(func() {
		began := metav1.Now()
		if c.state.Running != nil {
			began = c.state.Running.StartedAt
		}
		c.ready = false
		c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: code, Signal: signal, Reason: reason, StartedAt: began, FinishedAt: metav1.Now()}}
	})
}

func (c *container) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Terminated == nil || c.state.Terminated.ExitCode != 0
}

// real says whether there is a program behind the container: the first one of a
// Ray or operator pod, and those of the same image.
func (c *container) real() bool {
	pod := c.sandbox.pod
	if isOperator(pod) || isHelm(pod) {
		return !c.isInit && c.spec == &pod.Spec.Containers[0]
	}
	// The autoscaler would undo what a test scales by hand, and give up on nodes that
	// are played.
	if c.spec.Name == "autoscaler" && !c.sandbox.rig.autoscaler {
		return false
	}
	return c.spec.Image == pod.Spec.Containers[0].Image
}

// runInit runs an init container to its end and reports success.
func (c *container) runInit(ctx context.Context) bool {
	if !c.real() {
		c.setTerminated(0, 0, "Completed")
		return true
	}
	for delay := time.Second; ; delay = min(2*delay, 20*time.Second) {
		code, err := 0, error(nil)
		if address := gcsAddress(c.spec); c.spec.Name == "wait-gcs-ready" && address != "" {
			c.setRunning()
			if !c.sandbox.waitGCS(ctx, address) {
				return false
			}
			c.setTerminated(0, 0, "Completed")
		} else if code, err = c.once(ctx); ctx.Err() != nil {
			return false
		}
		if err == nil && code == 0 {
			return true
		}
		if err == nil && c.sandbox.pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
			return false
		}
		c.backOff(err)
		if !sleep(ctx, delay) {
			return false
		}
	}
}

var addressPattern = regexp.MustCompile(`[a-z0-9][a-z0-9.-]*\.svc\.[a-z0-9.-]+:[0-9]+`)

// gcsAddress finds what KubeRay's init container asks again and again.
func gcsAddress(spec *corev1.Container) string {
	return addressPattern.FindString(strings.Join(append(spec.Command, spec.Args...), " "))
}

// waitGCS plays KubeRay's wait for the head by connecting to it: the real loop
// starts a Python interpreter every few seconds.
func (s *sandbox) waitGCS(ctx context.Context, address string) bool {
	host, port, _ := strings.Cut(address, ":")
	for {
		if ip := s.rig.runner.resolve(host); ip != "" {
			if conn, err := s.net.dialTo(ip+":"+port, time.Second); err == nil {
				conn.Close()
				return true
			}
		}
		if !sleep(ctx, 300*time.Millisecond) {
			return false
		}
	}
}

// supervise runs a main container, again and again as its pod's policy says.
func (c *container) supervise(ctx context.Context) {
	if !c.real() {
		c.setRunning()
		c.set(func() { c.ready = true })
		<-ctx.Done()
		return
	}
	for delay := 2 * time.Second; ctx.Err() == nil; delay = min(2*delay, 30*time.Second) {
		code, err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		policy := c.sandbox.pod.Spec.RestartPolicy
		if err == nil && (policy == corev1.RestartPolicyNever ||
			policy == corev1.RestartPolicyOnFailure && code == 0) {
			return
		}
		c.backOff(err)
		if !sleep(ctx, delay) {
			return
		}
		c.set(func() { c.restarts++ })
	}
}

// backOff shows why the container is not started right now.
func (c *container) backOff(err error) {
	s := c.sandbox
	if err != nil {
		c.setWaiting("CreateContainerConfigError", err.Error())
		s.rig.events.Event(s.pod, corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
		return
	}
	c.setWaiting("CrashLoopBackOff", fmt.Sprintf("back-off restarting failed container=%s pod=%s_%s(%s)",
		c.spec.Name, s.pod.Name, s.pod.Namespace, s.pod.UID))
	s.rig.events.Eventf(s.pod, corev1.EventTypeWarning, "BackOff",
		"Back-off restarting failed container %s in pod %s_%s(%s)", c.spec.Name, s.pod.Name,
		s.pod.Namespace, s.pod.UID)
}

// once runs the container's process to its end. An error means that it could not
// even be prepared.
func (c *container) once(ctx context.Context) (int, error) {
	spec, err := c.prepare(ctx)
	if err != nil {
		return 0, err
	}
	release, ok := c.takeTurn(ctx)
	if !ok {
		return 0, ctx.Err()
	}
	if err := c.start(ctx, spec); err != nil {
		release()
		return 0, err
	}
	probing, stop := context.WithCancel(ctx)
	go c.probe(probing)
	go func() {
		c.waitStarted(probing)
		release()
	}()
	err = c.cmd.Wait()
	stop()
	code, signal, reason := 0, 0, "Completed"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status := exit.Sys().(syscall.WaitStatus)
		code, reason = status.ExitStatus(), "Error"
		if status.Signaled() {
			signal = int(status.Signal())
			code = 128 + signal
		}
	} else if err != nil {
		return 0, err
	}
	c.mu.Lock()
	c.cmd = nil
	if c.oom {
		reason, c.oom = "OOMKilled", false
	}
	c.mu.Unlock()
	c.sandbox.logf("container %s ended with %d", c.spec.Name, code)
	c.setTerminated(int32(code), 0, reason)
	return code, nil
}

func (c *container) start(ctx context.Context, spec *containerSpec) error {
	if err := os.MkdirAll(filepath.Dir(c.log), 0o755); err != nil {
		return err
	}
	if exists(c.log) && c.restarts > 0 {
		_ = os.Rename(c.log, c.log+".previous")
	}
	out, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	fmt.Fprint(out, strings.Join(spec.notes(c), ""))
	netFD, err := syscall.Dup(int(c.sandbox.net.ns))
	if err != nil {
		return err
	}
	netFile := os.NewFile(uintptr(netFD), "netns")
	defer netFile.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd := exec.Command("/proc/self/exe", "init")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{read, netFile}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWPID |
		syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		write.Close()
		return ctx.Err()
	}
	if err := spawn(cmd); err != nil {
		write.Close()
		return err
	}
	go func() {
		_ = json.NewEncoder(write).Encode(spec)
		write.Close()
	}()
	c.cmd, c.env = cmd, spec.Env
	c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	c.ready = c.spec.ReadinessProbe == nil && !c.isInit
	c.sandbox.report()
	return nil
}

func (c *container) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

func (c *container) kill() {
	if pid := c.pid(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // process 1: the kernel ends the rest
	}
}

// stop gives the container until the deadline to end by itself.
func (c *container) stop(deadline time.Time) {
	if hook := c.spec.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Exec != nil {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		_, _ = c.exec(ctx, hook.PreStop.Exec.Command, nil, nil, nil)
		cancel()
	}
	pid := c.pid()
	if pid == 0 {
		return
	}
	// A real kubelet tells once. A process 1 that does not listen yet would then use up
	// the whole grace period: here it is told again, and not waited for for long.
	const deafAfter = 3 * time.Second
	deaf := time.Now()
	for tick := 0; time.Now().Before(deadline) && c.pid() == pid; tick++ {
		if tick%20 == 0 {
			if handled := signalMain(pid, syscall.SIGTERM); handled {
				deaf = time.Now()
			} else if time.Since(deaf) > deafAfter {
				break
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.kill()
}

// signalMain signals process 1 of a container. The kernel keeps from it signals
// that it does not handle; a shell at that place then swallows TERM for the whole
// grace period, so that its children are told instead. It reports whether there was
// anybody to tell.
func signalMain(pid int, signal syscall.Signal) bool {
	if handles(pid, signal) {
		return syscall.Kill(pid, signal) == nil
	}
	path := fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)
	data, _ := os.ReadFile(path)
	told := false
	for _, field := range strings.Fields(string(data)) {
		if child, err := strconv.Atoi(field); err == nil {
			told = syscall.Kill(child, signal) == nil || told
		}
	}
	return told
}

func handles(pid int, signal syscall.Signal) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return err == nil && mask&(1<<(uint(signal)-1)) != 0
		}
	}
	return false
}
