package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"runtime"
	"sort"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// runner keeps the sandboxes: the pods that are run and not played.
type runner struct {
	rig     *rig
	network *network

	turns chan struct{} // Ray nodes that start at the same time

	mu        sync.Mutex
	sandboxes map[types.UID]*sandbox
	granted   map[types.UID]string // pods that have one of the limited places, by name
	refused   map[types.UID]string
}

func newRunner(r *rig) (*runner, error) {
	n := &runner{rig: r, turns: make(chan struct{}, max(1, runtime.NumCPU()/2)), sandboxes: map[types.UID]*sandbox{}, granted: map[types.UID]string{},
		refused: map[types.UID]string{}}
	if r.venv == "" && r.operator == "" {
		return n, nil
	}
	var err error
	if n.network, err = newNetwork(r.apiserver, r.dir); err != nil {
		return nil, err
	}
	go n.keepHosts()
	return n, nil
}

// wants says whether a pod is to be run for real. Ray nodes are many and heavy: past
// the limit they are played.
func (n *runner) wants(pod *corev1.Pod) bool {
	if n.network == nil {
		return false
	}
	if isOperator(pod) {
		return n.rig.operator != ""
	}
	if isHelm(pod) {
		return exists(n.rig.helm())
	}
	if n.rig.venv == "" || !isRay(pod) {
		return false
	}
	name := pod.Namespace + "/" + pod.Name
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.granted[pod.UID] != "" {
		return true
	}
	if n.refused[pod.UID] != "" {
		return false
	}
	if len(n.granted) >= n.rig.maxRaylets {
		n.refused[pod.UID] = name
		log.Printf("pod %s/%s: capped, %d real Ray nodes run already (RIG_MAX_RAYLETS): it is played",
			pod.Namespace, pod.Name, len(n.granted))
		n.rig.events.Eventf(pod, corev1.EventTypeWarning, "RigCapped",
			"the rig runs %d Ray nodes already and plays this one", len(n.granted))
		return false
	}
	n.granted[pod.UID] = name
	return true
}

func (n *runner) find(uid types.UID) *sandbox {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sandboxes[uid]
}

func (n *runner) all() []*sandbox {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []*sandbox
	for _, s := range n.sandboxes {
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name() < list[j].name() })
	return list
}

// sync starts, ends or leaves alone what runs for a pod.
func (n *runner) sync(_ context.Context, pod *corev1.Pod, play string) error {
	s := n.find(pod.UID)
	if play != playReal {
		if s != nil {
			log.Printf("pod %s is now played as %s: its processes end", s.name(), play)
			n.drop(s)
		}
		return nil
	}
	if pod.DeletionTimestamp != nil {
		n.mu.Lock()
		delete(n.granted, pod.UID) // its successor may be there already
		n.mu.Unlock()
		if s == nil {
			var err error
			if s, err = n.add(pod, false); err != nil {
				return err
			}
		}
		grace := 30 * time.Second
		if pod.DeletionGracePeriodSeconds != nil {
			grace = time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
		}
		go s.terminate(grace)
		return nil
	}
	if s != nil || finished(pod) || n.network == nil {
		return nil
	}
	_, err := n.add(pod, true)
	return err
}

func (n *runner) add(pod *corev1.Pod, start bool) (*sandbox, error) {
	s, err := newSandbox(n.rig, pod, n.network)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.sandboxes[pod.UID] = s
	n.mu.Unlock()
	if start {
		go s.run()
	} else {
		close(s.done) // it died with an earlier riglet
	}
	return s, nil
}

func (n *runner) drop(s *sandbox) {
	n.mu.Lock()
	delete(n.sandboxes, s.pod.UID)
	delete(n.granted, s.pod.UID)
	n.mu.Unlock()
	n.rig.failures.forget(s.pod.UID)
	s.mu.Lock()
	ending := s.ending
	s.ending = true
	s.mu.Unlock()
	if !ending {
		go s.kill()
	}
}

// forget is for a pod whose object is gone.
func (n *runner) forget(namespace, name string) {
	for _, s := range n.all() {
		if s.pod.Namespace == namespace && s.pod.Name == name {
			n.drop(s)
		}
	}
	// A pod may go before anything was started for it.
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, places := range []map[types.UID]string{n.granted, n.refused} {
		for uid, owner := range places {
			if owner == namespace+"/"+name {
				delete(places, uid)
			}
		}
	}
}

func (n *runner) stopAll() {
	var group sync.WaitGroup
	for _, s := range n.all() {
		group.Add(1)
		go func() {
			defer group.Done()
			s.mu.Lock()
			ending := s.ending
			s.ending = true
			s.mu.Unlock()
			if !ending {
				s.kill()
			}
		}()
	}
	group.Wait()
}

func (n *runner) running(pod *corev1.Pod) bool {
	s := n.find(pod.UID)
	if s == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func (n *runner) dial(pod *corev1.Pod, port int32) (net.Conn, error) {
	s := n.find(pod.UID)
	if s == nil {
		return nil, fmt.Errorf("the pod's network is gone")
	}
	return s.net.dial(port, 5*time.Second)
}

func (n *runner) logFile(pod *corev1.Pod, name string, previous bool) string {
	s := n.find(pod.UID)
	if s == nil {
		return ""
	}
	c := s.container(name)
	if c == nil || !c.real() {
		return ""
	}
	if previous {
		return c.log + ".previous"
	}
	return c.log
}

// readyRayNodes counts the ready nodes of a NAMESPACE/CLUSTER.
func (n *runner) readyRayNodes(cluster string) int {
	count := 0
	for _, s := range n.all() {
		if isRay(s.pod) && s.pod.Namespace+"/"+s.pod.Labels["ray.io/cluster"] == cluster && s.ready() {
			count++
		}
	}
	return count
}

func (n *runner) describe() any {
	var list []map[string]string
	for _, s := range n.all() {
		list = append(list, map[string]string{"pod": s.name(), "ip": s.net.ip.String(), "dir": s.dir})
	}
	return list
}

func (s *sandbox) leaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}
