/* The Functional Mock-up Interface 3.0, for co-simulation and model exchange. */
#include <stdbool.h>
#include <stdint.h>

#include "instance.h"

typedef uint32_t vr_t;
typedef int status_t;
typedef const char* text_t;
typedef void (*logger_t)(void*, status_t, text_t, text_t);
#define M ((Instance*)c)

static void tell(Instance* m, int status, const char* message) {
  if (m->logger) ((logger_t)m->logger)(m->environment, status, "logStatusError", message);
}

API text_t fmi3GetVersion(void) { return "3.0"; }
API status_t fmi3SetDebugLogging(void* c, bool on, size_t n, const text_t* names) {
  (void)c, (void)on, (void)n, (void)names;
  return OK;
}

static void* instance(text_t name, text_t token, void* environment, logger_t logger, int possible) {
  Instance* m = create(name);
  if (!m) return NULL;
  m->tell = tell;
  m->logger = (void*)logger;
  m->environment = environment;
  if (!token || strcmp(token, TOKEN) != 0) {
    fail(m, ERROR, "the instantiation token does not belong to this binary");
  } else if (!possible) {
    fail(m, ERROR, "this FMU does not offer that type of interface");
  } else {
    return m;
  }
  destroy(m);
  return NULL;
}
API void* fmi3InstantiateModelExchange(text_t name, text_t token, text_t resources, bool visible, bool logging,
                                       void* environment, logger_t logger) {
  (void)resources, (void)visible, (void)logging;
  return instance(name, token, environment, logger, HAS_RATES);
}
API void* fmi3InstantiateCoSimulation(text_t name, text_t token, text_t resources, bool visible, bool logging,
                                      bool events, bool early, const vr_t* required, size_t n, void* environment,
                                      logger_t logger, void* update) {
  (void)resources, (void)visible, (void)logging, (void)events, (void)early, (void)required, (void)n, (void)update;
  return instance(name, token, environment, logger, 1);
}
API void* fmi3InstantiateScheduledExecution(text_t name, text_t token, text_t resources, bool visible, bool logging,
                                            void* environment, logger_t logger, void* update, void* lock,
                                            void* unlock) {
  (void)resources, (void)visible, (void)logging, (void)update, (void)lock, (void)unlock;
  return instance(name, token, environment, logger, 0);
}
API void fmi3FreeInstance(void* c) { destroy(M); }

API status_t fmi3EnterInitializationMode(void* c, bool tolerated, double tolerance, double start, bool stops,
                                         double stop) {
  (void)tolerated, (void)tolerance, (void)stops, (void)stop;
  M->v[0] = start;
  M->stale = 1;
  return OK;
}
API status_t fmi3ExitInitializationMode(void* c) { M->running = 1; return OK; }
API status_t fmi3EnterEventMode(void* c) { (void)c; return OK; }
API status_t fmi3Terminate(void* c) { (void)c; return OK; }
API status_t fmi3Reset(void* c) { begin(M); return OK; }

API status_t fmi3GetFloat64(void* c, const vr_t* vr, size_t n, double* out, size_t m) {
  return n == m ? get(M, vr, n, out) : fail(M, ERROR, "every variable is a scalar");
}
API status_t fmi3SetFloat64(void* c, const vr_t* vr, size_t n, const double* in, size_t m) {
  return n == m ? set(M, vr, n, in) : fail(M, ERROR, "every variable is a scalar");
}
#define NO_TYPE(T, type) \
  API status_t fmi3Get##T(void* c, const vr_t* vr, size_t n, type* out, size_t m) { \
    (void)vr, (void)out, (void)m; \
    return unknown(M, #T, n); \
  } \
  API status_t fmi3Set##T(void* c, const vr_t* vr, size_t n, const type* in, size_t m) { \
    (void)vr, (void)in, (void)m; \
    return unknown(M, #T, n); \
  }
NO_TYPE(Float32, float)
NO_TYPE(Int8, int8_t)
NO_TYPE(UInt8, uint8_t)
NO_TYPE(Int16, int16_t)
NO_TYPE(UInt16, uint16_t)
NO_TYPE(Int32, int32_t)
NO_TYPE(UInt32, uint32_t)
NO_TYPE(Int64, int64_t)
NO_TYPE(UInt64, uint64_t)
NO_TYPE(Boolean, bool)
NO_TYPE(String, text_t)
API status_t fmi3GetBinary(void* c, const vr_t* vr, size_t n, size_t* sizes, const uint8_t** out, size_t m) {
  (void)vr, (void)sizes, (void)out, (void)m;
  return unknown(M, "Binary", n);
}
API status_t fmi3SetBinary(void* c, const vr_t* vr, size_t n, const size_t* sizes, const uint8_t* const* in, size_t m) {
  (void)vr, (void)sizes, (void)in, (void)m;
  return unknown(M, "Binary", n);
}
API status_t fmi3GetClock(void* c, const vr_t* vr, size_t n, bool* out) {
  (void)vr, (void)out;
  return unknown(M, "Clock", n);
}
API status_t fmi3SetClock(void* c, const vr_t* vr, size_t n, const bool* in) {
  (void)vr, (void)in;
  return unknown(M, "Clock", n);
}

API status_t fmi3GetFMUState(void* c, void** s) { return save(M, s); }
API status_t fmi3SetFMUState(void* c, void* s) { return restore(M, s); }
API status_t fmi3FreeFMUState(void* c, void** s) { (void)c; return release(s); }
API status_t fmi3SerializedFMUStateSize(void* c, void* s, size_t* size) {
  (void)c, (void)s;
  *size = sizeof(Saved);
  return OK;
}
API status_t fmi3SerializeFMUState(void* c, void* s, uint8_t* bytes, size_t n) { return write_state(M, s, bytes, n); }
API status_t fmi3DeserializeFMUState(void* c, const uint8_t* bytes, size_t n, void** s) {
  return read_state(M, bytes, n, s);
}

/* What this FMU does not offer, and says so in modelDescription.xml. */
#define REFUSE(name, ...) \
  API status_t name(void* c, __VA_ARGS__) { return fail(M, ERROR, #name " is not offered"); }
REFUSE(fmi3GetNumberOfVariableDependencies, vr_t vr, size_t* n)
REFUSE(fmi3GetVariableDependencies, vr_t vr, size_t* at, vr_t* on, size_t* of, int* kinds, size_t n)
REFUSE(fmi3GetDirectionalDerivative, const vr_t* u, size_t nu, const vr_t* k, size_t nk, const double* seed, size_t ns,
       double* out, size_t no)
REFUSE(fmi3GetAdjointDerivative, const vr_t* u, size_t nu, const vr_t* k, size_t nk, const double* seed, size_t ns,
       double* out, size_t no)
REFUSE(fmi3GetIntervalDecimal, const vr_t* vr, size_t n, double* out, int* qualifiers)
REFUSE(fmi3GetIntervalFraction, const vr_t* vr, size_t n, uint64_t* out, uint64_t* of, int* qualifiers)
REFUSE(fmi3GetShiftDecimal, const vr_t* vr, size_t n, double* out)
REFUSE(fmi3GetShiftFraction, const vr_t* vr, size_t n, uint64_t* out, uint64_t* of)
REFUSE(fmi3SetIntervalDecimal, const vr_t* vr, size_t n, const double* in)
REFUSE(fmi3SetIntervalFraction, const vr_t* vr, size_t n, const uint64_t* in, const uint64_t* of)
REFUSE(fmi3SetShiftDecimal, const vr_t* vr, size_t n, const double* in)
REFUSE(fmi3SetShiftFraction, const vr_t* vr, size_t n, const uint64_t* in, const uint64_t* of)
REFUSE(fmi3GetOutputDerivatives, const vr_t* vr, size_t n, const int32_t* orders, double* out, size_t no)
REFUSE(fmi3ActivateModelPartition, vr_t clock, double t)
API status_t fmi3EnterConfigurationMode(void* c) { (void)c; return OK; }
API status_t fmi3ExitConfigurationMode(void* c) { (void)c; return OK; }
API status_t fmi3EvaluateDiscreteStates(void* c) { (void)c; return OK; }

API status_t fmi3UpdateDiscreteStates(void* c, bool* again, bool* terminate, bool* nominals_changed,
                                      bool* values_changed, bool* next_defined, double* next) {
  (void)c, (void)next;
  *again = *terminate = *nominals_changed = *values_changed = *next_defined = false;
  return OK;
}
API status_t fmi3EnterContinuousTimeMode(void* c) { (void)c; return OK; }
API status_t fmi3CompletedIntegratorStep(void* c, bool keep, bool* event, bool* terminate) {
  (void)c, (void)keep;
  *event = *terminate = false;
  return OK;
}
API status_t fmi3SetTime(void* c, double t) { M->v[0] = t; M->stale = 1; return OK; }
API status_t fmi3SetContinuousStates(void* c, const double* x, size_t n) { return move_to(M, x, n); }
API status_t fmi3GetContinuousStateDerivatives(void* c, double* out, size_t n) { return rates(M, out, n); }
API status_t fmi3GetEventIndicators(void* c, double* out, size_t n) {
  (void)out;
  return n ? fail(M, ERROR, "there are no event indicators") : OK;
}
API status_t fmi3GetContinuousStates(void* c, double* out, size_t n) { return where_is(M, out, n); }
API status_t fmi3GetNominalsOfContinuousStates(void* c, double* out, size_t n) { return nominals(M, out, n); }
API status_t fmi3GetNumberOfEventIndicators(void* c, size_t* n) { (void)c; *n = 0; return OK; }
API status_t fmi3GetNumberOfContinuousStates(void* c, size_t* n) {
  (void)c;
  *n = HAS_RATES ? N_STATES : 0;
  return OK;
}
API status_t fmi3EnterStepMode(void* c) { (void)c; return OK; }
API status_t fmi3DoStep(void* c, double t, double h, bool keep, bool* event, bool* terminate, bool* early,
                        double* last) {
  status_t status = run(M, t, h);
  (void)keep;
  *event = *terminate = *early = false;
  *last = status == OK ? t + h : t;
  return status;
}
