package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// environment resolves a container's variables as a kubelet does. base holds what
// an image would bring along; the pod's own values win.
func (s *sandbox) environment(ctx context.Context, container *corev1.Container,
	base map[string]string) (map[string]string, error) {
	env := maps.Clone(base)
	for _, from := range container.EnvFrom {
		var data map[string]string
		var err error
		switch {
		case from.SecretRef != nil:
			data, err = s.secret(ctx, from.SecretRef.Name, from.SecretRef.Optional)
		case from.ConfigMapRef != nil:
			data, err = s.configMap(ctx, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		}
		if err != nil {
			return nil, err
		}
		for name, value := range data {
			env[from.Prefix+name] = value
		}
	}
	for _, v := range container.Env {
		value := expand(v.Value, env)
		if v.ValueFrom != nil {
			var found bool
			var err error
			if value, found, err = s.valueFrom(ctx, container, v.ValueFrom); err != nil {
				return nil, err
			}
			if !found {
				continue
			}
		}
		env[v.Name] = value
	}
	return env, nil
}

func envList(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// valueFrom reports whether there is a value: an optional source may lack one.
func (s *sandbox) valueFrom(ctx context.Context, container *corev1.Container,
	source *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case source.SecretKeyRef != nil:
		ref := source.SecretKeyRef
		data, err := s.secret(ctx, ref.Name, ref.Optional)
		if err != nil {
			return "", false, err
		}
		value, ok := data[ref.Key]
		if !ok && (ref.Optional == nil || !*ref.Optional) {
			return "", false, fmt.Errorf("couldn't find key %s in Secret %s/%s", ref.Key,
				s.pod.Namespace, ref.Name)
		}
		return value, ok, nil
	case source.ConfigMapKeyRef != nil:
		ref := source.ConfigMapKeyRef
		data, err := s.configMap(ctx, ref.Name, ref.Optional)
		if err != nil {
			return "", false, err
		}
		value, ok := data[ref.Key]
		if !ok && (ref.Optional == nil || !*ref.Optional) {
			return "", false, fmt.Errorf("couldn't find key %s in ConfigMap %s/%s", ref.Key,
				s.pod.Namespace, ref.Name)
		}
		return value, ok, nil
	case source.FieldRef != nil:
		value, err := s.field(source.FieldRef.FieldPath)
		return value, true, err
	case source.ResourceFieldRef != nil:
		value, err := resourceField(container, source.ResourceFieldRef)
		return value, true, err
	}
	return "", false, fmt.Errorf("a source of a variable that the rig does not know")
}

func (s *sandbox) secret(ctx context.Context, name string, optional *bool) (map[string]string, error) {
	secret, err := s.rig.client.CoreV1().Secrets(s.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		if optional != nil && *optional {
			return nil, client404(err)
		}
		return nil, err
	}
	data := map[string]string{}
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return data, nil
}

func (s *sandbox) configMap(ctx context.Context, name string, optional *bool) (map[string]string, error) {
	object, err := s.rig.client.CoreV1().ConfigMaps(s.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		if optional != nil && *optional {
			return nil, client404(err)
		}
		return nil, err
	}
	data := map[string]string{}
	for key, value := range object.BinaryData {
		data[key] = string(value)
	}
	maps.Copy(data, object.Data)
	return data, nil
}

func (s *sandbox) field(path string) (string, error) {
	pod := s.pod
	if name, ok := strings.CutPrefix(path, "metadata.labels['"); ok {
		return pod.Labels[strings.TrimSuffix(name, "']")], nil
	}
	if name, ok := strings.CutPrefix(path, "metadata.annotations['"); ok {
		return pod.Annotations[strings.TrimSuffix(name, "']")], nil
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return quotedPairs(pod.Labels), nil
	case "metadata.annotations":
		return quotedPairs(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return s.net.ip.String(), nil
	case "status.hostIP", "status.hostIPs":
		return s.hostIP(), nil
	}
	return "", fmt.Errorf("unsupported field %q", path)
}

func quotedPairs(pairs map[string]string) string {
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		fmt.Fprintf(&out, "%s=%q\n", key, pairs[key])
	}
	return out.String()
}

func resourceField(container *corev1.Container, ref *corev1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	list := container.Resources.Limits
	if kind == "requests" {
		list = container.Resources.Requests
	}
	amount, ok := list[corev1.ResourceName(name)]
	if !ok {
		return "", fmt.Errorf("container %s sets no %s", container.Name, ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == "cpu" {
		return strconv.FormatInt((amount.MilliValue()+divisor.MilliValue()-1)/divisor.MilliValue(), 10), nil
	}
	return strconv.FormatInt((amount.Value()+divisor.Value()-1)/divisor.Value(), 10), nil
}

// expand replaces $(NAME) by a variable that is known, and $$ by one dollar.
func expand(text string, env map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		if text[i+1] == '$' {
			out.WriteByte('$')
			i++
			continue
		}
		end := strings.IndexByte(text[i:], ')')
		if text[i+1] != '(' || end < 0 {
			out.WriteByte('$')
			continue
		}
		if value, ok := env[text[i+2:i+end]]; ok {
			out.WriteString(value)
		} else {
			out.WriteString(text[i : i+end+1])
		}
		i += end
	}
	return out.String()
}
