/* Compiles kernels by FXC as wgpu does: names of files come from standard input, one a line; for each, one line goes to
   standard output: "ok" or "refused", milliseconds of the processor's, so that other work on the machine does not count, bytes of
   code, and what the compiler says, its lines joined by " / ". */

#define COBJMACROS
#include <d3dcommon.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

typedef HRESULT(WINAPI *Compile)(const void *source, SIZE_T size, const char *name, const void *defines, void *include,
                                 const char *entry, const char *target, UINT flags, UINT effect_flags, ID3DBlob **code,
                                 ID3DBlob **said);

/* D3DCOMPILE_ENABLE_STRICTNESS, the one flag that wgpu-hal sets, in dx12/shader_compilation.rs. */
static const UINT FLAGS = 1 << 11;

static char *read_file(const char *name, size_t *size) {
    FILE *file = fopen(name, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    *size = fread(text, 1, *size, file);
    fclose(file);
    return text;
}

static void print_in_one_line(const char *text) {
    for (; *text; text++) {
        if (*text == '\n') fputs(" / ", stdout);
        else if (*text != '\r') putchar(*text);
    }
}

/* In milliseconds, at Wine's resolution of 10. */
static double processor_time(void) {
    FILETIME since, until, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &since, &until, &kernel, &user);
    ULARGE_INTEGER k = {{kernel.dwLowDateTime, kernel.dwHighDateTime}}, u = {{user.dwLowDateTime, user.dwHighDateTime}};
    return (double)(k.QuadPart + u.QuadPart) / 10000.0;
}

static void compile(Compile d3d_compile, const char *name) {
    size_t size = 0;
    char *source = read_file(name, &size);
    if (!source) {
        printf("refused 0 0 cannot read %s\n", name);
        return;
    }
    ID3DBlob *code = NULL, *said = NULL;
    double start = processor_time();
    HRESULT result = d3d_compile(source, size, name, NULL, NULL, "main", "cs_5_1", FLAGS, 0, &code, &said);
    double time = processor_time() - start;
    printf("%s %.1f %lu ", SUCCEEDED(result) ? "ok" : "refused", time,
           code ? (unsigned long)ID3D10Blob_GetBufferSize(code) : 0UL);
    /* Warnings, which it also says, are no errors for wgpu. */
    if (FAILED(result) && said) print_in_one_line(ID3D10Blob_GetBufferPointer(said));
    putchar('\n');
    if (code) ID3D10Blob_Release(code);
    if (said) ID3D10Blob_Release(said);
    free(source);
}

int main(void) {
    HMODULE library = LoadLibraryA("d3dcompiler_47.dll");
    Compile d3d_compile = library ? (Compile)(void *)GetProcAddress(library, "D3DCompile") : NULL;
    if (!d3d_compile) {
        fprintf(stderr, "d3dcompiler_47.dll has no compiler\n");
        return 1;
    }
    char name[1024];
    while (fgets(name, sizeof name, stdin)) {
        name[strcspn(name, "\r\n")] = 0;
        compile(d3d_compile, name);
        fflush(stdout);
    }
    return 0;
}
