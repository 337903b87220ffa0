package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reportStatus writes the sandbox's state to the pod, until no process is left.
func (s *sandbox) reportStatus() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.kick:
		}
		for {
			err := s.writeStatus(s.ctx)
			if err == nil || s.ctx.Err() != nil || apierrors.IsNotFound(err) {
				break
			}
			if !apierrors.IsConflict(err) {
				s.logf("status: %v", err)
			}
			if !sleep(s.ctx, 200*time.Millisecond) {
				return
			}
		}
	}
}

func (s *sandbox) writeStatus(ctx context.Context) error {
	pods := s.rig.client.CoreV1().Pods(s.pod.Namespace)
	pod, err := pods.Get(ctx, s.pod.Name, metav1.GetOptions{})
	if err != nil || pod.UID != s.pod.UID || pod.Annotations[playKey] != playReal {
		return client404(err)
	}
	s.fillStatus(&pod.Status)
	_, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

func (s *sandbox) fillStatus(status *corev1.PodStatus) {
	s.mu.Lock()
	phase := s.phase
	s.mu.Unlock()
	started := metav1.NewTime(s.started)
	status.Phase = phase
	status.StartTime = &started
	status.HostIP = s.hostIP()
	status.HostIPs = []corev1.HostIP{{IP: status.HostIP}}
	status.PodIP = s.net.ip.String()
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	status.InitContainerStatuses, status.ContainerStatuses = nil, nil
	initialized, ready := true, true
	for _, c := range s.init {
		have := c.status()
		initialized = initialized && have.State.Terminated != nil && have.State.Terminated.ExitCode == 0
		status.InitContainerStatuses = append(status.InitContainerStatuses, have)
	}
	for _, c := range s.main {
		have := c.status()
		ready = ready && have.Ready
		status.ContainerStatuses = append(status.ContainerStatuses, have)
	}
	ready = ready && phase == corev1.PodRunning
	setCondition(status, corev1.PodReadyToStartContainers, true, "", "")
	if initialized {
		setCondition(status, corev1.PodInitialized, true, "", "")
	} else {
		setCondition(status, corev1.PodInitialized, false, "ContainersNotInitialized",
			"containers with incomplete status: "+s.unfinished())
	}
	reason, message := "", ""
	switch {
	case phase == corev1.PodSucceeded || phase == corev1.PodFailed:
		reason = "PodCompleted"
	case !ready:
		reason, message = "ContainersNotReady", "containers with unready status: "+s.unready()
	}
	setCondition(status, corev1.ContainersReady, ready, reason, message)
	setCondition(status, corev1.PodReady, ready, reason, message)
	for _, gate := range s.pod.Spec.ReadinessGates {
		setCondition(status, gate.ConditionType, true, "", "")
	}
}

func (s *sandbox) unfinished() string {
	names := "["
	for _, c := range s.init {
		if have := c.status(); have.State.Terminated == nil {
			names += " " + c.spec.Name
		}
	}
	return names + " ]"
}

func (s *sandbox) unready() string {
	names := "["
	for _, c := range s.main {
		if !c.status().Ready {
			names += " " + c.spec.Name
		}
	}
	return names + " ]"
}

// setCondition keeps the time of the last change.
func setCondition(status *corev1.PodStatus, kind corev1.PodConditionType, value bool,
	reason, message string) {
	want := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, Reason: reason,
		Message: message, LastTransitionTime: metav1.Now()}
	if value {
		want.Status = corev1.ConditionTrue
	}
	for i := range status.Conditions {
		have := &status.Conditions[i]
		if have.Type != kind {
			continue
		}
		if have.Status == want.Status {
			want.LastTransitionTime = have.LastTransitionTime
		}
		*have = want
		return
	}
	status.Conditions = append(status.Conditions, want)
}

func (c *container) status() corev1.ContainerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := c.state.Running != nil
	return corev1.ContainerStatus{Name: c.spec.Name, Image: c.spec.Image, ImageID: "",
		ContainerID: "rig://" + string(c.sandbox.pod.UID) + "-" + c.spec.Name,
		Ready:       c.ready || c.isInit && c.state.Terminated != nil && c.state.Terminated.ExitCode == 0,
		State:       c.state, LastTerminationState: c.last, RestartCount: c.restarts, Started: &running}
}

func (s *sandbox) container(name string) *container {
	for _, c := range append(append([]*container{}, s.main...), s.init...) {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// ready says whether every container of the pod is.
func (s *sandbox) ready() bool {
	for _, c := range s.main {
		if !c.status().Ready {
			return false
		}
	}
	return true
}
