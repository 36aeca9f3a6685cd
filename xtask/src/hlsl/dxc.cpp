// Compiles kernels by DXC as wgpu does: names of files come from standard input, one a line; for each, one line goes to
// standard output: "ok" or "refused", milliseconds of the processor's, so that other work on the machine does not count, bytes of
// code, and what the compiler says, its lines joined by " / ".

#include <cstdio>
#include <ctime>
#include <dlfcn.h>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "dxcapi.h"

static std::string in_one_line(const std::string &text) {
    std::string line;
    for (char c : text) {
        if (c == '\n') line += " / ";
        else if (c != '\r') line += c;
    }
    return line;
}

static void compile(IDxcCompiler3 *compiler, const std::string &source) {
    // The arguments are those of wgpu-hal, in dx12/shader_compilation.rs.
    LPCWSTR arguments[] = {L"-E", L"main", L"-T", L"cs_6_2", L"-HV", L"2018", L"-no-warnings", L"-Ges"};
    const DxcBuffer buffer = {source.data(), source.size(), DXC_CP_UTF8};
    const auto start = std::clock();
    CComPtr<IDxcResult> result;
    HRESULT status = compiler->Compile(&buffer, arguments, sizeof arguments / sizeof *arguments, nullptr, IID_PPV_ARGS(&result));
    const double time = 1000.0 * double(std::clock() - start) / CLOCKS_PER_SEC;

    CComPtr<IDxcBlobUtf8> said;
    CComPtr<IDxcBlob> code;
    if (SUCCEEDED(status)) {
        result->GetStatus(&status);
        result->GetOutput(DXC_OUT_ERRORS, IID_PPV_ARGS(&said), nullptr);
        result->GetOutput(DXC_OUT_OBJECT, IID_PPV_ARGS(&code), nullptr);
    }
    const std::string message(said ? said->GetStringPointer() : "", said ? said->GetStringLength() : 0);
    // It always warns that it cannot sign its code, which Windows' library does.
    const bool ok = SUCCEEDED(status) && code && code->GetBufferSize() > 0;
    std::printf("%s %.1f %zu %s\n", ok ? "ok" : "refused", time, code ? size_t(code->GetBufferSize()) : 0,
                ok ? "" : in_one_line(message).c_str());
    std::fflush(stdout);
}

int main() {
    void *library = dlopen("./libdxcompiler.so", RTLD_NOW);
    if (!library) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    const auto create = DxcCreateInstanceProc(dlsym(library, "DxcCreateInstance"));
    CComPtr<IDxcCompiler3> compiler;
    if (!create || FAILED(create(CLSID_DxcCompiler, IID_PPV_ARGS(&compiler)))) {
        std::fputs("libdxcompiler.so has no compiler\n", stderr);
        return 1;
    }
    for (std::string name; std::getline(std::cin, name);) {
        std::ifstream file(name, std::ios::binary);
        std::stringstream source;
        source << file.rdbuf();
        compile(compiler, source.str());
    }
    // The library's destructors are of no use to a process that ends.
    std::_Exit(0);
}
