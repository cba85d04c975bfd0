/* The Functional Mock-up Interface 2.0, for co-simulation and model exchange. */
#include "instance.h"

typedef unsigned int vr_t;
typedef int status_t;
typedef int bool_t;
typedef const char* text_t;
typedef void (*logger_t)(void*, text_t, status_t, text_t, text_t, ...);
typedef struct {
  logger_t logger;
  void* (*allocate)(size_t, size_t);
  void (*free)(void*);
  void (*finished)(void*, status_t);
  void* environment;
} callbacks_t;
typedef struct {
  bool_t again, terminate, nominals_changed, values_changed, next_defined;
  double next;
} event_t;
#define M ((Instance*)c)

static void tell(Instance* m, int status, const char* message) {
  if (m->logger) ((logger_t)m->logger)(m->environment, m->name, status, "logStatusError", "%s", message);
}

API text_t fmi2GetTypesPlatform(void) { return "default"; }
API text_t fmi2GetVersion(void) { return "2.0"; }
API status_t fmi2SetDebugLogging(void* c, bool_t on, size_t n, const text_t* names) {
  (void)c, (void)on, (void)n, (void)names;
  return OK;
}

API void* fmi2Instantiate(text_t name, int kind, text_t token, text_t resources, const callbacks_t* f, bool_t visible,
                          bool_t logging) {
  Instance* m = create(name);
  (void)resources, (void)visible, (void)logging;
  if (!m) return NULL;
  m->tell = tell;
  m->logger = f ? (void*)f->logger : NULL;
  m->environment = f ? f->environment : NULL;
  if (!token || strcmp(token, TOKEN) != 0) {
    fail(m, ERROR, "the guid does not belong to this binary");
  } else if (kind == 0 && !HAS_RATES) {
    fail(m, ERROR, "this model moves by steps of its own: co-simulation only");
  } else {
    return m;
  }
  destroy(m);
  return NULL;
}
API void fmi2FreeInstance(void* c) { destroy(M); }

API status_t fmi2SetupExperiment(void* c, bool_t tolerated, double tolerance, double start, bool_t stops, double stop) {
  (void)tolerated, (void)tolerance, (void)stops, (void)stop;
  M->v[0] = start;
  M->stale = 1;
  return OK;
}
API status_t fmi2EnterInitializationMode(void* c) { (void)c; return OK; }
API status_t fmi2ExitInitializationMode(void* c) { M->running = 1; return OK; }
API status_t fmi2Terminate(void* c) { (void)c; return OK; }
API status_t fmi2Reset(void* c) { begin(M); return OK; }

API status_t fmi2GetReal(void* c, const vr_t* vr, size_t n, double* out) { return get(M, vr, n, out); }
API status_t fmi2SetReal(void* c, const vr_t* vr, size_t n, const double* in) { return set(M, vr, n, in); }
#define NO_TYPE(T, type) \
  API status_t fmi2Get##T(void* c, const vr_t* vr, size_t n, type* out) { \
    (void)vr, (void)out; \
    return unknown(M, #T, n); \
  } \
  API status_t fmi2Set##T(void* c, const vr_t* vr, size_t n, const type* in) { \
    (void)vr, (void)in; \
    return unknown(M, #T, n); \
  }
NO_TYPE(Integer, int)
NO_TYPE(Boolean, bool_t)
NO_TYPE(String, text_t)

API status_t fmi2GetFMUstate(void* c, void** s) { return save(M, s); }
API status_t fmi2SetFMUstate(void* c, void* s) { return restore(M, s); }
API status_t fmi2FreeFMUstate(void* c, void** s) { (void)c; return release(s); }
API status_t fmi2SerializedFMUstateSize(void* c, void* s, size_t* size) {
  (void)c, (void)s;
  *size = sizeof(Saved);
  return OK;
}
API status_t fmi2SerializeFMUstate(void* c, void* s, char* bytes, size_t n) { return write_state(M, s, bytes, n); }
API status_t fmi2DeSerializeFMUstate(void* c, const char* bytes, size_t n, void** s) {
  return read_state(M, bytes, n, s);
}
API status_t fmi2GetDirectionalDerivative(void* c, const vr_t* u, size_t nu, const vr_t* k, size_t nk, const double* dk,
                                          double* du) {
  (void)u, (void)nu, (void)k, (void)nk, (void)dk, (void)du;
  return fail(M, ERROR, "directional derivatives are not offered");
}

API status_t fmi2EnterEventMode(void* c) { (void)c; return OK; }
API status_t fmi2NewDiscreteStates(void* c, event_t* e) {
  (void)c;
  memset(e, 0, sizeof *e);
  return OK;
}
API status_t fmi2EnterContinuousTimeMode(void* c) { (void)c; return OK; }
API status_t fmi2CompletedIntegratorStep(void* c, bool_t keep, bool_t* event, bool_t* terminate) {
  (void)c, (void)keep;
  *event = *terminate = 0;
  return OK;
}
API status_t fmi2SetTime(void* c, double t) { M->v[0] = t; M->stale = 1; return OK; }
API status_t fmi2SetContinuousStates(void* c, const double* x, size_t n) { return move_to(M, x, n); }
API status_t fmi2GetDerivatives(void* c, double* out, size_t n) { return rates(M, out, n); }
API status_t fmi2GetEventIndicators(void* c, double* out, size_t n) {
  (void)out;
  return n ? fail(M, ERROR, "there are no event indicators") : OK;
}
API status_t fmi2GetContinuousStates(void* c, double* out, size_t n) { return where_is(M, out, n); }
API status_t fmi2GetNominalsOfContinuousStates(void* c, double* out, size_t n) { return nominals(M, out, n); }

API status_t fmi2SetRealInputDerivatives(void* c, const vr_t* vr, size_t n, const int* order, const double* in) {
  (void)vr, (void)order, (void)in;
  return n ? fail(M, ERROR, "inputs are held, not interpolated") : OK;
}
API status_t fmi2GetRealOutputDerivatives(void* c, const vr_t* vr, size_t n, const int* order, double* out) {
  (void)vr, (void)order, (void)out;
  return n ? fail(M, ERROR, "derivatives of outputs are not offered") : OK;
}
API status_t fmi2DoStep(void* c, double t, double h, bool_t keep) { (void)keep; return run(M, t, h); }
API status_t fmi2CancelStep(void* c) { return fail(M, ERROR, "a step is over when it returns"); }
#define NO_STATUS(T, type) \
  API status_t fmi2Get##T##Status(void* c, int kind, type* out) { \
    (void)c, (void)kind, (void)out; \
    return DISCARD; \
  }
API status_t fmi2GetStatus(void* c, int kind, status_t* out) { (void)c, (void)kind, (void)out; return DISCARD; }
NO_STATUS(Real, double)
NO_STATUS(Integer, int)
NO_STATUS(Boolean, bool_t)
NO_STATUS(String, text_t)
