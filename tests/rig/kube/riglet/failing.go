package main

import (
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// failEvents are the kubelet's events of the pods that kwok plays as failing: one a
// state, as kwok's own cannot name the image.
type failEvents struct {
	mu   sync.Mutex
	told map[types.UID]string
}

const mountEvery = 20 * time.Second

func (r *rig) tellFailure(pod *corev1.Pod, play string) {
	warn := func(state, reason, format string, args ...any) {
		r.failures.mu.Lock()
		again := r.failures.told[pod.UID] == state
		r.failures.told[pod.UID] = state
		r.failures.mu.Unlock()
		if !again {
			r.events.Eventf(pod, corev1.EventTypeWarning, reason, format, args...)
		}
	}
	switch play {
	case "FailedMount":
		r.events.Eventf(pod, corev1.EventTypeWarning, "FailedMount",
			"MountVolume.SetUp failed for volume %q : rpc error: code = DeadlineExceeded desc = "+
				"context deadline exceeded", firstVolume(pod))
		r.queue.AddAfter("pod "+pod.Namespace+"/"+pod.Name, mountEvery)
	case "Evicted":
		warn(play, "Evicted", "The node was low on resource: memory.")
	case "NotReady":
		warn(play, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
	}
	status := troubled(pod)
	if status == nil {
		return
	}
	switch waiting := status.State.Waiting; waiting.Reason {
	case "ErrImagePull":
		warn(waiting.Reason, "Failed", "Failed to pull image %q: not found", status.Image)
	case "ImagePullBackOff":
		warn(waiting.Reason, "BackOff", "Back-off pulling image %q", status.Image)
	case "CreateContainerConfigError":
		warn(waiting.Reason, "Failed", "Error: %s", waiting.Message)
	case "CrashLoopBackOff":
		warn(waiting.Reason, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
			status.Name, pod.Name, pod.Namespace, pod.UID)
	}
}

// troubled finds the container that waits for something else than its turn.
func troubled(pod *corev1.Pod) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses,
		pod.Status.ContainerStatuses} {
		for i := range list {
			if waiting := list[i].State.Waiting; waiting != nil && waiting.Reason != "PodInitializing" {
				return &list[i]
			}
		}
	}
	return nil
}

func firstVolume(pod *corev1.Pod) string {
	for _, volume := range pod.Spec.Volumes {
		if !strings.HasPrefix(volume.Name, "kube-api-access-") {
			return volume.Name
		}
	}
	return "rig"
}

func (f *failEvents) forget(uid types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.told, uid)
}

// unpullable says whether an image is on a host that cannot exist.
func unpullable(pod *corev1.Pod) bool {
	for _, container := range append(append([]corev1.Container{}, pod.Spec.InitContainers...),
		pod.Spec.Containers...) {
		host, _, found := strings.Cut(container.Image, "/")
		name, _, _ := strings.Cut(host, ":")
		if found && strings.HasSuffix(name, ".invalid") {
			return true
		}
	}
	return false
}
