package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sandbox is one pod that is run as real processes: its network, its volumes and
// its containers, each with process 1, mounts and processes of its own.
type sandbox struct {
	rig   *rig
	pod   *corev1.Pod // as first seen; what is used of it never changes
	dir   string
	net   *podNet
	hosts string // file shown as /etc/hosts
	tmpfs map[string]bool

	cancel context.CancelFunc
	ctx    context.Context
	done   chan struct{} // closed when no process is left
	kick   chan struct{} // the status is to be written

	mu      sync.Mutex
	init    []*container
	main    []*container
	started time.Time
	phase   corev1.PodPhase
	ending  bool
	volumes map[string]string
}

func newSandbox(r *rig, pod *corev1.Pod, network *network) (*sandbox, error) {
	podNet, err := network.add()
	if err != nil {
		return nil, err
	}
	s := &sandbox{rig: r, pod: pod.DeepCopy(), net: podNet,
		dir:   filepath.Join(r.dir, "pods", string(pod.UID)),
		tmpfs: map[string]bool{}, done: make(chan struct{}), kick: make(chan struct{}, 1),
		phase: corev1.PodPending, started: time.Now()}
	s.hosts = filepath.Join(s.dir, "hosts")
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		network.remove(podNet)
		return nil, err
	}
	for i := range s.pod.Spec.InitContainers {
		s.init = append(s.init, newContainer(s, &s.pod.Spec.InitContainers[i], true))
	}
	for i := range s.pod.Spec.Containers {
		s.main = append(s.main, newContainer(s, &s.pod.Spec.Containers[i], false))
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func (s *sandbox) name() string { return s.pod.Namespace + "/" + s.pod.Name }

func (s *sandbox) logf(format string, args ...any) {
	log.Printf("pod "+s.name()+": "+format, args...)
}

// run lives as long as the pod's processes.
func (s *sandbox) run() {
	defer close(s.done)
	go s.reportStatus()
	s.report()
	if !s.waitVolumes() {
		return
	}
	for _, c := range s.init {
		if !c.runInit(s.ctx) {
			s.finish(corev1.PodFailed)
			return
		}
	}
	var group sync.WaitGroup
	for _, c := range s.main {
		group.Add(1)
		go func() {
			defer group.Done()
			c.supervise(s.ctx)
		}()
	}
	s.setPhase(corev1.PodRunning)
	group.Wait()
	failed := false
	for _, c := range s.main {
		failed = failed || c.failed()
	}
	if failed {
		s.finish(corev1.PodFailed)
	} else {
		s.finish(corev1.PodSucceeded)
	}
}

// waitVolumes retries as a kubelet does, with an event that says what is missing.
func (s *sandbox) waitVolumes() bool {
	for {
		volumes, err := s.prepareVolumes(s.ctx)
		if err == nil {
			s.mu.Lock()
			s.volumes = volumes
			s.mu.Unlock()
			return true
		}
		if s.ctx.Err() != nil {
			return false
		}
		s.rig.events.Event(s.pod, corev1.EventTypeWarning, "FailedMount", err.Error())
		if !sleep(s.ctx, 2*time.Second) {
			return false
		}
	}
}

func (s *sandbox) finish(phase corev1.PodPhase) {
	if s.ctx.Err() == nil {
		s.setPhase(phase)
	}
}

func (s *sandbox) setPhase(phase corev1.PodPhase) {
	s.mu.Lock()
	s.phase = phase
	s.mu.Unlock()
	s.report()
}

// report asks for the status to be written; several requests become one write.
func (s *sandbox) report() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// terminate ends the pod as a kubelet does: hooks, TERM, the grace period, KILL;
// then the pod object goes.
func (s *sandbox) terminate(grace time.Duration) {
	s.mu.Lock()
	again := s.ending
	s.ending = true
	s.mu.Unlock()
	if again {
		return
	}
	s.logf("ends within %v", grace)
	deadline := time.Now().Add(grace)
	var group sync.WaitGroup
	for _, c := range s.main {
		group.Add(1)
		go func() {
			defer group.Done()
			c.stop(deadline)
		}()
	}
	group.Wait()
	s.kill()
	zero := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &zero,
		Preconditions: &metav1.Preconditions{UID: &s.pod.UID}}
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := s.rig.client.CoreV1().Pods(s.pod.Namespace).Delete(ctx, s.pod.Name, options)
		cancel()
		if client404(err) == nil {
			return
		}
		s.logf("delete: %v", err)
		time.Sleep(time.Second)
	}
}

// kill ends every process at once and takes away what the pod had.
func (s *sandbox) kill() {
	s.cancel()
	for _, c := range append(append([]*container{}, s.init...), s.main...) {
		c.kill()
	}
	<-s.done
	for dir := range s.tmpfs {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			s.logf("unmount: %v", err)
		}
	}
	s.rig.runner.network.remove(s.net)
	if err := os.RemoveAll(s.dir); err != nil {
		s.logf("%v", err)
	}
}

func (s *sandbox) hostIP() string {
	var i int
	if _, err := fmt.Sscanf(s.pod.Spec.NodeName, "rig-node-%d", &i); err != nil {
		return "127.0.0.1"
	}
	return nodeAddress(i)
}

// isRay says whether KubeRay made this pod for a node of a Ray cluster.
func isRay(pod *corev1.Pod) bool {
	return pod.Labels["ray.io/cluster"] != "" && pod.Labels["ray.io/node-type"] != ""
}

func isOperator(pod *corev1.Pod) bool {
	for _, c := range pod.Spec.Containers {
		if glob("*kuberay/operator*", c.Image) || len(c.Command) > 0 && c.Command[0] == "/manager" {
			return true
		}
	}
	return false
}

// isHelm says whether the pod runs helm: that program stands in for its image, once
// scripts/rig helm has built it.
func isHelm(pod *corev1.Pod) bool {
	command := pod.Spec.Containers[0].Command
	return len(command) > 0 && command[0] == "helm"
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
