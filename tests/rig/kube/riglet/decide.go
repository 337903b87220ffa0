package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	playKey = "rig.raydeploy.dev/play" // annotation: how kwok plays the pod
	failKey = "rig.raydeploy.dev/fail" // label or annotation a test may put on a pod

	playReady = "ready"
	playReal  = "real"
)

var everything = labels.Everything()

// failModes are the ways a pod can be made to fail. Unschedulable is not played:
// the webhook makes the real scheduler refuse the pod.
var failModes = map[string]bool{
	"ErrImagePull": true, "CrashLoopBackOff": true, "OOMKilled": true, "FailedMount": true,
	"CreateContainerConfigError": true, "Unschedulable": true, "Evicted": true,
	"NotReady": true, "Stuck": true,
}

// failMode says how the pod is to fail, or nothing.
func (r *rig) failMode(pod *corev1.Pod) string {
	for _, mode := range []string{pod.Annotations[failKey], pod.Labels[failKey]} {
		if failModes[mode] {
			return mode
		}
	}
	if mode := r.rules.match(pod); mode != "" {
		return mode
	}
	if unpullable(pod) {
		return "ErrImagePull"
	}
	return ""
}

func (r *rig) decide(pod *corev1.Pod) string {
	if mode := r.failMode(pod); mode != "" && mode != "Unschedulable" {
		return mode
	}
	if r.runner.wants(pod) {
		return playReal
	}
	return playReady
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// syncPod does for a bound pod what its kubelet would, or leaves it to kwok.
func (r *rig) syncPod(ctx context.Context, namespace, name string) error {
	pod, err := r.pods.Pods(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		r.runner.forget(namespace, name)
		return nil
	}
	if err != nil || pod.Spec.NodeName == "" || !strings.HasPrefix(pod.Spec.NodeName, "rig-node-") {
		return err
	}
	play := pod.Annotations[playKey]
	if pod.DeletionTimestamp == nil && !finished(pod) {
		if want := r.decide(pod); want != play {
			log.Printf("pod %s/%s is to be %s", namespace, name, want)
			patch := fmt.Sprintf(`{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, pod.UID, playKey, want)
			err := r.patchPod(ctx, pod, patch)
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
				return nil
			}
			return err
		}
	}
	if failModes[play] && pod.DeletionTimestamp == nil {
		r.tellFailure(pod, play)
	}
	return r.runner.sync(ctx, pod, play)
}
