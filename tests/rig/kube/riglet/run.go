package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

const (
	maxNodes       = 20
	serviceAddress = "10.96.0.1" // the first of --service-cluster-ip-range
)

func nodeAddress(i int) string { return fmt.Sprintf("127.0.0.%d", 10+i) }

type options struct {
	dir         string
	kubeconfig  string
	kubeletPort int
	controlPort int
	apiserver   string
	venv        string
	operator    string

	olderOperator bool
	maxRaylets    int
	shmMB         int
	nodes         int
	autoscaler    bool
}

// rig is what the parts of riglet share.
type rig struct {
	options
	client   kubernetes.Interface
	events   record.EventRecorder
	pods     corelisters.PodLister
	services corelisters.ServiceLister
	claims   corelisters.PersistentVolumeClaimLister
	volumes  corelisters.PersistentVolumeLister
	classes  storagelisters.StorageClassLister
	queue    workqueue.TypedRateLimitingInterface[string]
	rules    *ruleSet
	runner   *runner
	failures failEvents
}

func newClient(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 500, 1000
	return kubernetes.NewForConfig(config)
}

func runMain(args []string) error {
	var r rig
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.StringVar(&r.dir, "dir", "", "the rig's folder")
	flags.StringVar(&r.kubeconfig, "kubeconfig", "", "kubeconfig of riglet's user")
	flags.IntVar(&r.kubeletPort, "kubelet-port", 0, "port of the kubelet endpoint")
	flags.IntVar(&r.controlPort, "control-port", 0, "port for the verbs of scripts/rig")
	flags.StringVar(&r.apiserver, "apiserver", "", "host:port of the API server")
	flags.StringVar(&r.venv, "venv", "", "Python environment with Ray; empty: Ray is played")
	flags.StringVar(&r.operator, "operator", "", "KubeRay operator; empty: it is played")
	flags.BoolVar(&r.olderOperator, "older-operator", false, "it is of before 1.7.0")
	flags.IntVar(&r.maxRaylets, "max-raylets", 8, "how many real Ray nodes at most")
	flags.IntVar(&r.shmMB, "shm-mb", 256, "cap of /dev/shm in a real pod")
	flags.BoolVar(&r.autoscaler, "autoscaler", false, "run Ray's autoscaler too")
	flags.IntVar(&r.nodes, "nodes", 3, "how many nodes there are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.nodes > maxNodes {
		return fmt.Errorf("at most %d nodes", maxNodes)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return r.run(ctx)
}

func (r *rig) run(ctx context.Context) error {
	client, err := newClient(r.kubeconfig)
	if err != nil {
		return err
	}
	r.client = client
	r.failures.told = map[types.UID]string{}
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: client.CoreV1().Events("")})
	r.events = broadcaster.NewRecorder(eventScheme(), corev1.EventSource{Component: "kubelet"})
	if r.rules, err = loadRules(filepath.Join(r.dir, "rules")); err != nil {
		return err
	}
	if r.runner, err = newRunner(r); err != nil {
		return err
	}
	defer r.runner.stopAll()

	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	r.pods = pods.Lister()
	r.services = factory.Core().V1().Services().Lister()
	r.claims = factory.Core().V1().PersistentVolumeClaims().Lister()
	r.volumes = factory.Core().V1().PersistentVolumes().Lister()
	r.classes = factory.Storage().V1().StorageClasses().Lister()
	r.queue = workqueue.NewTypedRateLimitingQueue(
		workqueue.DefaultTypedControllerRateLimiter[string]())
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { r.enqueue("pod", obj) },
		UpdateFunc: func(_, obj any) { r.enqueue("pod", obj) },
		DeleteFunc: func(obj any) { r.enqueue("pod", obj) },
	}
	if _, err := pods.Informer().AddEventHandler(handler); err != nil {
		return err
	}
	if err := r.watchVolumes(factory); err != nil {
		return err
	}
	if err := r.serveKubelet(ctx); err != nil {
		return err
	}
	if err := r.serveControl(ctx); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("no list of %v", kind)
		}
	}
	log.Printf("riglet serves as kubelet on port %d", r.kubeletPort)
	for range 4 {
		go wait.UntilWithContext(ctx, func(ctx context.Context) {
			for r.work(ctx) {
			}
		}, time.Second)
	}
	<-ctx.Done()
	r.queue.ShutDown()
	return nil
}

func eventScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	_ = corev1.AddToScheme(scheme)
	return scheme
}

func (r *rig) enqueue(kind string, obj any) {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj)
	if err == nil {
		r.queue.Add(kind + " " + key)
	}
}

// enqueueAll looks at every pod again, after the rules changed.
func (r *rig) enqueueAll() {
	pods, _ := r.pods.List(everything)
	for _, pod := range pods {
		r.enqueue("pod", pod)
	}
}

func (r *rig) work(ctx context.Context) bool {
	key, shutdown := r.queue.Get()
	if shutdown {
		return false
	}
	defer r.queue.Done(key)
	if err := r.syncKey(ctx, key); err != nil {
		log.Printf("%s: %v", key, err)
		r.queue.AddRateLimited(key)
	} else {
		r.queue.Forget(key)
	}
	return true
}

func (r *rig) syncKey(ctx context.Context, key string) error {
	var kind, name string
	if _, err := fmt.Sscanf(key, "%s %s", &kind, &name); err != nil {
		return nil
	}
	namespace, name, err := cache.SplitMetaNamespaceKey(name)
	if err != nil {
		return nil
	}
	switch kind {
	case "pod":
		return r.syncPod(ctx, namespace, name)
	case "claim":
		return r.syncClaim(ctx, namespace, name)
	case "volume":
		return r.syncVolume(ctx, name)
	}
	return nil
}

// patchPod sends a merge patch for one pod, for a pod that is still that one.
func (r *rig) patchPod(ctx context.Context, pod *corev1.Pod, patch string, sub ...string) error {
	_, err := r.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name,
		types.MergePatchType, []byte(patch), metav1.PatchOptions{}, sub...)
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
