package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// rule makes the pods its selector matches fail in its mode.
type rule struct {
	ID       int    `json:"id"`
	Selector string `json:"selector"`
	Mode     string `json:"mode"`
}

// forward sends a port of played pods to an address on this machine.
type forward struct {
	Pods   string `json:"pods"`
	Port   int32  `json:"port"`
	Target string `json:"target"`
}

// ruleSet is kept on disk, so that a restart of riglet forgets nothing.
type ruleSet struct {
	sync.Mutex
	file     string
	Next     int       `json:"next"`
	Rules    []rule    `json:"rules"`
	Forwards []forward `json:"forwards"`
}

func loadRules(dir string) (*ruleSet, error) {
	set := &ruleSet{file: filepath.Join(dir, "rules.json"), Next: 1}
	data, err := os.ReadFile(set.file)
	if errors.Is(err, os.ErrNotExist) {
		return set, nil
	}
	if err == nil {
		err = json.Unmarshal(data, set)
	}
	return set, err
}

// save is called with the lock held.
func (s *ruleSet) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(s.file+".new", s.file)
}

func (s *ruleSet) add(selector, mode string) (rule, error) {
	if !failModes[mode] {
		return rule{}, fmt.Errorf("no mode %q", mode)
	}
	if selector == "" {
		return rule{}, errors.New("the selector is empty")
	}
	s.Lock()
	defer s.Unlock()
	s.drop(selector)
	added := rule{ID: s.Next, Selector: selector, Mode: mode}
	s.Next++
	s.Rules = append(s.Rules, added)
	return added, s.save()
}

// remove takes away the rules of a selector, or all of them.
func (s *ruleSet) remove(selector string) ([]rule, error) {
	s.Lock()
	defer s.Unlock()
	gone := s.drop(selector)
	return gone, s.save()
}

func (s *ruleSet) drop(selector string) (gone []rule) {
	var kept []rule
	for _, have := range s.Rules {
		if selector == "" || have.Selector == selector {
			gone = append(gone, have)
		} else {
			kept = append(kept, have)
		}
	}
	s.Rules = kept
	return gone
}

func (s *ruleSet) list() []rule {
	s.Lock()
	defer s.Unlock()
	return append([]rule(nil), s.Rules...)
}

func (s *ruleSet) match(pod *corev1.Pod) string {
	for _, have := range s.list() {
		if matches(have.Selector, pod) {
			return have.Mode
		}
	}
	return ""
}

// matches knows [NAMESPACE/]NAME-GLOB, image=GLOB and LABEL=VALUE.
func matches(selector string, pod *corev1.Pod) bool {
	key, value, found := strings.Cut(selector, "=")
	if found && key == "image" {
		for _, container := range append(append([]corev1.Container{}, pod.Spec.InitContainers...),
			pod.Spec.Containers...) {
			if glob(value, container.Image) {
				return true
			}
		}
		return false
	}
	if found {
		have, ok := pod.Labels[key]
		return ok && glob(value, have)
	}
	namespace, name, found := strings.Cut(selector, "/")
	if !found {
		namespace, name = "*", selector
	}
	podName := pod.Name
	if podName == "" {
		podName = pod.GenerateName // at admission a generated name may still be missing
	}
	return glob(namespace, pod.Namespace) && glob(name, podName)
}

// glob is path.Match without a meaning for the slash.
func glob(pattern, text string) bool {
	hide := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	ok, err := path.Match(hide(pattern), hide(text))
	return err == nil && ok
}

func (s *ruleSet) addForward(f forward) error {
	s.Lock()
	defer s.Unlock()
	s.Forwards = append([]forward{f}, s.Forwards...)
	return s.save()
}

func (s *ruleSet) forwardFor(namespace, name string, port int32) string {
	s.Lock()
	defer s.Unlock()
	for _, f := range s.Forwards {
		if f.Port == port && glob(f.Pods, namespace+"/"+name) {
			return f.Target
		}
	}
	return ""
}
